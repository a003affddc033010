# Makes page.html, the style and scripts that it names and Chart.js one string of the program: the report without its data.
# Usage: cmake -DFOLDER=lib/apo/trace/report -DCHART_JS=chart.min.js -DOUTPUT=x.cpp -P cmake/embed_report.cmake
file(READ "${FOLDER}/page.html" page)
foreach(name page.css chart.js looks.js panels.js charts.js page.js)
  set(file "${FOLDER}/${name}")
  if(name STREQUAL "chart.js")
    set(file "${CHART_JS}")
  endif()
  file(READ "${file}" code)
  if(code MATCHES "</script|</style|[)]~page~\"|{{title}}|{{data}}")
    message(FATAL_ERROR "${file}: holds '${CMAKE_MATCH_0}', which cannot stand within a page")
  endif()
  string(REPLACE "{{${name}}}" "${code}" page "${page}")
endforeach()
file(WRITE "${OUTPUT}" "#include \"apo/trace/report_template.h\"

namespace apo {

std::string_view report_template() {
  return R\"~page~(${page})~page~\";
}

}  // namespace apo
")
