# What `cmake --install` puts where, below the prefix. The program finds its plugins, and they their
# library, by paths relative to themselves: the prefix can be moved. Two components: `runtime` is all
# that a machine needs to serve (the image and the package `trestle` hold it), `development` what
# plugins are made with.
install(TARGETS trestle_program RUNTIME DESTINATION bin COMPONENT runtime)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/config/examples DESTINATION share/trestle COMPONENT runtime)
foreach(file config/trestle.schema.json)
  if(EXISTS ${PROJECT_SOURCE_DIR}/${file})
    install(FILES ${PROJECT_SOURCE_DIR}/${file} DESTINATION share/trestle COMPONENT runtime)
  endif()
endforeach()
# Where their links to each other lead.
foreach(file README.md CHANGELOG.md plugins/README.md plugins/mqtt/README.md
    plugins/mqtt/CONFORMANCE.md plugins/websocket/README.md plugins/websocket/PROTOCOL.md
    plugins/zmq/README.md plugins/zmq/PROTOCOL.md plugins/zmq/examples/native_worker.py)
  get_filename_component(folder share/doc/trestle/${file} DIRECTORY)
  install(FILES ${PROJECT_SOURCE_DIR}/${file} DESTINATION ${folder} COMPONENT runtime)
endforeach()

install(FILES ${PROJECT_SOURCE_DIR}/packaging/trestle.sysusers DESTINATION lib/sysusers.d
  RENAME trestle.conf COMPONENT runtime)

# The prefix is known when installing, not now. Below /usr the configuration goes to /etc, as the
# FHS has it; below any other prefix to etc there. The unit names both.
install(CODE "
  set(prefix \"\${CMAKE_INSTALL_PREFIX}\")
  set(etc \"\${prefix}/etc\")
  if(prefix STREQUAL \"/usr\")
    set(etc /etc)
  endif()
  file(INSTALL \"${PROJECT_SOURCE_DIR}/config/trestle.json\" DESTINATION \"\${etc}/trestle\")
  file(INSTALL \"${PROJECT_SOURCE_DIR}/packaging/trestle.default\" DESTINATION \"\${etc}/default\"
       RENAME trestle)
  set(unit \"${CMAKE_BINARY_DIR}/package/trestle.service\")
  configure_file(\"${PROJECT_SOURCE_DIR}/packaging/trestle.service.in\" \"\${unit}\" @ONLY)
  file(INSTALL \"\${unit}\" DESTINATION \"\${prefix}/lib/systemd/system\")
" COMPONENT runtime)
include(cmake/package.cmake)

# Plugins made elsewhere are loaded by the shared build only.
if(NOT TRESTLE_PLUGINS STREQUAL "shared")
  return()
endif()

set_target_properties(trestle_flags PROPERTIES EXPORT_NAME flags)
install(TARGETS trestle trestle_flags EXPORT trestle
  LIBRARY DESTINATION lib COMPONENT runtime NAMELINK_COMPONENT development)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/src/core ${PROJECT_SOURCE_DIR}/src/plugin_api
  DESTINATION ${TRESTLE_HEADER_DIR} COMPONENT development
  FILES_MATCHING PATTERN "*.h" PATTERN mapping_plan.h EXCLUDE)
install(EXPORT trestle NAMESPACE trestle:: FILE trestle-targets.cmake DESTINATION lib/cmake/trestle
  COMPONENT development)

include(CMakePackageConfigHelpers)
set(package ${CMAKE_BINARY_DIR}/package)
configure_file(cmake/trestle-config.cmake.in ${package}/trestle-config.cmake @ONLY)
# Host and plugins are of one build: another version never fits.
write_basic_package_version_file(${package}/trestle-config-version.cmake COMPATIBILITY ExactVersion)
install(FILES ${package}/trestle-config.cmake ${package}/trestle-config-version.cmake
  DESTINATION lib/cmake/trestle COMPONENT development)
get_target_property(definitions trestle_flags INTERFACE_COMPILE_DEFINITIONS)
list(TRANSFORM definitions PREPEND "-D")
list(JOIN definitions " " TRESTLE_CFLAGS)
configure_file(cmake/trestle.pc.in ${package}/trestle.pc @ONLY)
install(FILES ${package}/trestle.pc DESTINATION lib/pkgconfig COMPONENT development)
