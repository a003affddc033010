# Installs the shared libraries that `program` needs beside it, with their licences; but not LibTorch's, and not those of C and C++,
# which every machine has: this one's may want a newer C library than is there.
file(
  GET_RUNTIME_DEPENDENCIES
  EXECUTABLES ${program}
  RESOLVED_DEPENDENCIES_VAR libraries
  PRE_EXCLUDE_REGEXES "^lib(torch|c10|gomp)" "^(ld-linux.*|lib(c|m|dl|rt|util|pthread|resolv|gcc_s|stdc\\+\\+))\\.so"
  POST_EXCLUDE_REGEXES "/nvidia/"
)
set(prefix "$ENV{DESTDIR}${CMAKE_INSTALL_PREFIX}")
file(MAKE_DIRECTORY ${prefix}/lib/apo-train)
foreach(library ${libraries})
  # By the name that the linker looks for, no link: wheels cannot hold any.
  get_filename_component(name ${library} NAME)
  file(REAL_PATH ${library} file)
  message(STATUS "Installing: ${prefix}/lib/apo-train/${name}")
  file(COPY_FILE ${file} ${prefix}/lib/apo-train/${name})
  get_filename_component(file_name ${file} NAME)
  execute_process(COMMAND dpkg-query --search "*/${file_name}" OUTPUT_VARIABLE owner ERROR_QUIET RESULT_VARIABLE result)
  if(NOT result EQUAL 0)
    message(WARNING "${file}: of no Debian package, so its licence is not copied; add it before you pass the package on")
    continue()
  endif()
  string(REGEX REPLACE ":.*" "" owner ${owner})
  file(MAKE_DIRECTORY ${prefix}/share/doc/apo-train/licenses/${owner})
  file(COPY_FILE /usr/share/doc/${owner}/copyright ${prefix}/share/doc/apo-train/licenses/${owner}/copyright)
endforeach()
