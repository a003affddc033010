# cmake --install: the program with its configurations, the pages, the library with its headers and find_package(apo).
# What else packages hold is in package.cmake.
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

set(CMAKE_INSTALL_DEFAULT_COMPONENT_NAME program)
get_filename_component(torch_dir "${LibTorch_INCLUDE_DIR}/.." ABSOLUTE)

set(package ${CMAKE_INSTALL_LIBDIR}/cmake/apo)
install(TARGETS apo EXPORT apoTargets COMPONENT library)
install(DIRECTORY lib/apo TYPE INCLUDE COMPONENT library FILES_MATCHING PATTERN "*.h" PATTERN report EXCLUDE)
install(EXPORT apoTargets NAMESPACE apo:: DESTINATION ${package} COMPONENT library)
configure_package_config_file(cmake/apoConfig.cmake.in ${CMAKE_BINARY_DIR}/apoConfig.cmake INSTALL_DESTINATION ${package})
write_basic_package_version_file(${CMAKE_BINARY_DIR}/apoConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(
  FILES ${CMAKE_BINARY_DIR}/apoConfig.cmake ${CMAKE_BINARY_DIR}/apoConfigVersion.cmake cmake/FindLibTorch.cmake
  DESTINATION ${package}
  COMPONENT library
)

# The same everywhere, so that a folder may be moved: the program has no path to any library, lies in lib/apo-train, and is started by
# a launcher, bin/apo-train. Beside the program, in `torch`, is LibTorch, or a link to it, or nothing, and then the launcher finds one.
# Configurations are found in share/.
set(private lib/apo-train)
install(PROGRAMS cmake/launcher.sh TYPE BIN RENAME apo-train)
install(TARGETS apo-train DESTINATION ${private})
set(library libtorch_cpu.so)
if(APO_CUDA)
  set(library libtorch_cuda.so)
endif()
file(WRITE ${CMAKE_BINARY_DIR}/libtorch-version "${LibTorch_VERSION} ${library}\n")
install(FILES ${CMAKE_BINARY_DIR}/libtorch-version DESTINATION ${private})
install(DIRECTORY configs DESTINATION ${CMAKE_INSTALL_DATADIR}/apo-train)
# Under the name that Debian asks for.
install(FILES LICENSE TYPE DOC RENAME copyright)

install(FILES README.md CHANGELOG.md TYPE DOC COMPONENT pages)
install(DIRECTORY docs TYPE DOC COMPONENT pages)

# Only where it was built.
install(
  CODE "file(CREATE_LINK \"${torch_dir}\" \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/${private}/torch\" SYMBOLIC)"
  COMPONENT link_to_libtorch
)

# What the program writes of itself for the shell, where the shell looks for it: WORDS of the command line, FILE in share/.
function(install_words words file)
  get_filename_component(folder ${file} DIRECTORY)
  get_filename_component(name ${file} NAME)
  set(made ${CMAKE_BINARY_DIR}/words/${name})
  if(name STREQUAL apo-train)
    set(made ${made}.bash)
  endif()
  install(CODE "
    file(MAKE_DIRECTORY \"${CMAKE_BINARY_DIR}/words\")
    execute_process(
      COMMAND \"$<TARGET_FILE:apo-train>\" ${words} OUTPUT_FILE \"${made}\"
      WORKING_DIRECTORY \"${CMAKE_SOURCE_DIR}\" COMMAND_ERROR_IS_FATAL ANY)")
  install(FILES ${made} DESTINATION ${CMAKE_INSTALL_DATADIR}/${folder} RENAME ${name})
endfunction()
install_words("--man" man/man1/apo-train.1)
install_words("--completion bash" bash-completion/completions/apo-train)
install_words("--completion zsh" zsh/site-functions/_apo-train)
install_words("--completion fish" fish/vendor_completions.d/apo-train.fish)

include(cmake/package.cmake)
