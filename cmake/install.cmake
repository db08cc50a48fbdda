# SPDX-License-Identifier: Apache-2.0
# What `cmake --install` lays down. Everything is found relative to its own place, so the prefix may be moved.

include(CMakePackageConfigHelpers)
set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/vastmax")

install(DIRECTORY include/vastmax DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
  FILES_MATCHING PATTERN "*.h" PATTERN "*.hpp")
install(FILES LICENSE THIRD_PARTY.md DESTINATION "${CMAKE_INSTALL_DATADIR}/licenses/vastmax")

# Two export sets: the static library's needs must not be asked of those who link the shared one.
if(VMX_BUILD_SHARED)
  install(TARGETS vastmax EXPORT vastmax_shared_targets)
  install(EXPORT vastmax_shared_targets NAMESPACE vastmax:: DESTINATION "${package_dir}")
endif()
if(VMX_BUILD_STATIC)
  install(TARGETS vastmax_static EXPORT vastmax_static_targets)
  install(EXPORT vastmax_static_targets NAMESPACE vastmax:: DESTINATION "${package_dir}")
  if(VMX_WITH_ONEDNN)
    install(FILES cmake/FindOneDNN.cmake DESTINATION "${package_dir}")
  endif()
endif()

configure_package_config_file(cmake/vastmax-config.cmake.in "${CMAKE_CURRENT_BINARY_DIR}/vastmax-config.cmake"
  INSTALL_DESTINATION "${package_dir}" NO_SET_AND_CHECK_MACRO)
# Before 1.0 a minor version may change the ABI.
write_basic_package_version_file("${CMAKE_CURRENT_BINARY_DIR}/vastmax-config-version.cmake"
  COMPATIBILITY SameMinorVersion)
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/vastmax-config.cmake"
  "${CMAKE_CURRENT_BINARY_DIR}/vastmax-config-version.cmake" DESTINATION "${package_dir}")

set(pc_libs_private "-lstdc++ -lpthread -lm")
if(VMX_WITH_ONEDNN)
  string(PREPEND pc_libs_private "-ldnnl ")
endif()
cmake_path(ABSOLUTE_PATH CMAKE_INSTALL_LIBDIR BASE_DIRECTORY "${CMAKE_INSTALL_PREFIX}" OUTPUT_VARIABLE pc_libdir)
file(RELATIVE_PATH pc_prefix "${pc_libdir}/pkgconfig" "${CMAKE_INSTALL_PREFIX}")
string(REGEX REPLACE "/$" "" pc_prefix "${pc_prefix}")
foreach(dir LIBDIR INCLUDEDIR)
  if(IS_ABSOLUTE "${CMAKE_INSTALL_${dir}}")
    set(pc_${dir} "${CMAKE_INSTALL_${dir}}")
  else()
    set(pc_${dir} "\${prefix}/${CMAKE_INSTALL_${dir}}")
  endif()
endforeach()
configure_file(capi/vastmax.pc.in vastmax.pc @ONLY)
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/vastmax.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
