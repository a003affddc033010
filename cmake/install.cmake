# cmake --install: the library with its headers and find_package(apo), the program and its configurations.
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

set(package ${CMAKE_INSTALL_LIBDIR}/cmake/apo)
install(TARGETS apo EXPORT apoTargets)
install(DIRECTORY lib/apo TYPE INCLUDE FILES_MATCHING PATTERN "*.h" PATTERN report EXCLUDE)
install(EXPORT apoTargets NAMESPACE apo:: DESTINATION ${package})
get_filename_component(torch_dir "${LibTorch_INCLUDE_DIR}/.." ABSOLUTE)
configure_package_config_file(cmake/apoConfig.cmake.in ${CMAKE_BINARY_DIR}/apoConfig.cmake INSTALL_DESTINATION ${package})
write_basic_package_version_file(${CMAKE_BINARY_DIR}/apoConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(
  FILES ${CMAKE_BINARY_DIR}/apoConfig.cmake ${CMAKE_BINARY_DIR}/apoConfigVersion.cmake cmake/FindLibTorch.cmake
  DESTINATION ${package}
)

# The program finds LibTorch where it was built with it, and configurations in share/.
set_target_properties(apo-train PROPERTIES INSTALL_RPATH_USE_LINK_PATH ON)
install(TARGETS apo-train)
install(DIRECTORY configs DESTINATION ${CMAKE_INSTALL_DATADIR}/apo-train)
