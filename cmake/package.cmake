# Debian packages, by `cpack -G DEB` in the build folder: `trestle` (the service) and `trestle-dev`
# (what plugins are made with).
set(CPACK_GENERATOR DEB)
set(CPACK_PROJECT_CONFIG_FILE ${PROJECT_SOURCE_DIR}/cmake/package_tools.cmake)
set(CPACK_PRE_BUILD_SCRIPTS ${PROJECT_SOURCE_DIR}/cmake/package_folders.cmake)
set(CPACK_PACKAGE_NAME trestle)
set(CPACK_PACKAGE_VENDOR "Trestle")
set(CPACK_PACKAGE_CONTACT "Trestle maintainers <trestle@localhost.localdomain>")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_COMPONENTS_ALL runtime)
if(TRESTLE_PLUGINS STREQUAL "shared")
  list(APPEND CPACK_COMPONENTS_ALL development)
endif()
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_GROUPING IGNORE)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)

set(CPACK_DEBIAN_RUNTIME_PACKAGE_NAME trestle)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_SECTION net)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS ${CMAKE_BINARY_DIR}/lib)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_DEPENDS "adduser, init-system-helpers (>= 1.52)")
set(CPACK_COMPONENT_RUNTIME_DESCRIPTION "One server between devices that speak MQTT, workers that speak ZeroMQ, and browsers that
 speak WebSocket. Every message has a fate, and every fate is counted.")

set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_NAME trestle-dev)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS
  "trestle (= ${PROJECT_VERSION}-1), libboost1.81-dev, libfmt-dev")
set(CPACK_COMPONENT_DEVELOPMENT_DESCRIPTION "What a plugin is compiled and linked with; host and plugins are of one build.")

# conffiles: what the administrator changes stays. CPack writes absolute paths into no such file
# itself.
file(WRITE ${CMAKE_BINARY_DIR}/package/conffiles "/etc/trestle/trestle.json\n/etc/default/trestle\n")
set(CPACK_DEBIAN_RUNTIME_PACKAGE_CONTROL_EXTRA
  ${PROJECT_SOURCE_DIR}/packaging/debian/postinst ${PROJECT_SOURCE_DIR}/packaging/debian/prerm
  ${PROJECT_SOURCE_DIR}/packaging/debian/postrm ${PROJECT_SOURCE_DIR}/packaging/debian/triggers
  ${CMAKE_BINARY_DIR}/package/conffiles)
include(CPack)
