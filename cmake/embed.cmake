# Writes a C++ source that holds files as they are: the table behind server/api/assets.h.
#   cmake -DOUT=assets.cpp -DDASHBOARD=<folder> -DOPENAPI=<file> -P embed.cmake
set(rows "")
set(texts "")
set(number 0)

function(add_asset file path type)
  file(READ ${file} text)
  set(here "constexpr std::string_view kText${number} = R\"__asset__(")
  string(APPEND here "${text}" ")__asset__\";\n")
  set(texts "${texts}${here}" PARENT_SCOPE)
  set(rows "${rows}    {\"${path}\", \"${type}\", kText${number}},\n" PARENT_SCOPE)
  math(EXPR next "${number} + 1")
  set(number ${next} PARENT_SCOPE)
endfunction()

file(GLOB files ${DASHBOARD}/*)
list(SORT files)
foreach(file ${files})
  get_filename_component(name ${file} NAME)
  set(path "/${name}")
  if(name STREQUAL "index.html")
    set(path "/")
    set(type "text/html; charset=utf-8")
  elseif(name MATCHES "\\.js$")
    set(type "text/javascript; charset=utf-8")
  elseif(name MATCHES "\\.css$")
    set(type "text/css; charset=utf-8")
  elseif(name MATCHES "\\.svg$")
    set(type "image/svg+xml")
  else()
    message(FATAL_ERROR "${file}: of what type is it?")
  endif()
  add_asset(${file} ${path} ${type})
endforeach()
add_asset(${OPENAPI} "/api/v1/openapi.json" "application/json")

file(WRITE ${OUT} "// Made by cmake/embed.cmake.
#include \"server/api/assets.h\"

namespace trestle {

namespace {

${texts}
constexpr Asset kAssets[] = {
${rows}};

}  // namespace

std::span<const Asset> assets() { return kAssets; }

}  // namespace trestle
")
