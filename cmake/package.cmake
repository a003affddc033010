# What packages hold beside the program, each a component that a plain cmake --install leaves out; and CPack's settings.
# scripts/package.sh chooses among them.

# libraries, tests: the small libraries that a target needs.
function(install_libraries_of target component)
  install(CODE "set(program \"$<TARGET_FILE:${target}>\")" COMPONENT ${component} EXCLUDE_FROM_ALL)
  install(SCRIPT ${CMAKE_SOURCE_DIR}/cmake/small_libraries.cmake COMPONENT ${component} EXCLUDE_FROM_ALL)
endfunction()
install_libraries_of(apo-train libraries)

# libtorch: without its Python half. Its licence, and NVIDIA's, lie beside it, as a wheel has them.
install(
  DIRECTORY ${torch_dir}/lib
  DESTINATION ${private}/torch
  COMPONENT libtorch
  EXCLUDE_FROM_ALL
  FILES_MATCHING
  PATTERN "*.so*"
  PATTERN "libtorch_python.so" EXCLUDE
  PATTERN "libshm*" EXCLUDE
)
if(EXISTS ${torch_dir}/../nvidia)
  install(
    DIRECTORY ${torch_dir}/../nvidia
    DESTINATION ${private}
    COMPONENT libtorch
    EXCLUDE_FROM_ALL
    FILES_MATCHING
    PATTERN "*.so*"
    PATTERN "include" EXCLUDE
    REGEX "/lib(nvperf|pcsampling|checkpoint)" EXCLUDE # what only profilers load
  )
endif()
file(GLOB licences ${torch_dir}/../torch-[0-9]*.dist-info ${torch_dir}/../nvidia_*.dist-info)
if(licences)
  install(
    DIRECTORY ${licences}
    DESTINATION ${CMAKE_INSTALL_DOCDIR}/licenses
    COMPONENT libtorch
    EXCLUDE_FROM_ALL
    FILES_MATCHING
    PATTERN "L[Ii][Cc][Ee][Nn][Ss][Ee]*"
    PATTERN "NOTICE*"
  )
else()
  set(missing "beside ${torch_dir} is no torch-*.dist-info with its licence, which must go where LibTorch goes")
  install(
    CODE "message(FATAL_ERROR \"${missing}; delete that folder if scripts/setup.sh made it, and run scripts/setup.sh again\")"
    COMPONENT libtorch
    EXCLUDE_FROM_ALL
  )
endif()

set(CPACK_PACKAGE_CONTACT "apo-train authors <apo-train@example.org>")
set(CPACK_STRIP_FILES ON)
# One package of these, or of those that cpack -D CPACK_COMPONENTS_ALL=… names.
set(CPACK_COMPONENTS_ALL program pages libraries)
set(CPACK_COMPONENTS_GROUPING ALL_COMPONENTS_IN_ONE)
set(CPACK_ARCHIVE_COMPONENT_INSTALL ON)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_COMPRESSION_TYPE zstd) # half a gigabyte: xz takes ten times as long for a fifth less
include(CPack)
