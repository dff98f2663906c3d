# The package that plugins are built with: headers, EtlPlugin's CMake files and etl-plugin.pc.
# It lies in the build tree as it will be installed, and can be installed alone as the component "plugin-sdk".
file(STRINGS framework/include/etl/plugin.h etl_abi REGEX "#define ETL_ABI_(MAJOR|MINOR) ")
string(REGEX MATCH "MAJOR ([0-9]+)" _ "${etl_abi}")
set(ETL_ABI_VERSION ${CMAKE_MATCH_1})
string(REGEX MATCH "MINOR ([0-9]+)$" _ "${etl_abi}")
string(APPEND ETL_ABI_VERSION .${CMAKE_MATCH_1})

set(etl_package ${PROJECT_BINARY_DIR}/lib/cmake/EtlPlugin)
foreach(file EtlPluginConfig.cmake EtlPlugin.cmake etl_plugin.map)
  configure_file(tools/cmake/EtlPlugin/${file} ${etl_package}/${file} COPYONLY)
endforeach()
include(CMakePackageConfigHelpers)
write_basic_package_version_file(${etl_package}/EtlPluginConfigVersion.cmake
  VERSION ${ETL_ABI_VERSION} COMPATIBILITY SameMajorVersion ARCH_INDEPENDENT)
configure_file(tools/cmake/EtlPlugin/etl-plugin.pc.in
  ${PROJECT_BINARY_DIR}/lib/pkgconfig/etl-plugin.pc @ONLY)
file(MAKE_DIRECTORY ${PROJECT_BINARY_DIR}/include)
file(CREATE_LINK ${PROJECT_SOURCE_DIR}/framework/include/etl ${PROJECT_BINARY_DIR}/include/etl SYMBOLIC)

install(DIRECTORY framework/include/etl DESTINATION include COMPONENT plugin-sdk)
install(DIRECTORY ${etl_package} DESTINATION lib/cmake COMPONENT plugin-sdk)
install(FILES ${PROJECT_BINARY_DIR}/lib/pkgconfig/etl-plugin.pc DESTINATION lib/pkgconfig
  COMPONENT plugin-sdk)
