# Runs example.toml in a folder of its own and compares what it wrote with expected.out.
file(REMOVE_RECURSE ${WORK})
file(MAKE_DIRECTORY ${WORK})
execute_process(
  COMMAND ${ETL} run ${SOURCE}/example.toml --plugin-dir ${PLUGINS} --state-dir ${WORK}/state --set sink.path=${WORK}/example.out
  RESULT_VARIABLE code)
if(NOT code EQUAL 0)
  message(FATAL_ERROR "etl run ended with ${code}")
endif()
execute_process(COMMAND ${CMAKE_COMMAND} -E compare_files ${WORK}/example.out ${SOURCE}/expected.out RESULT_VARIABLE code)
if(NOT code EQUAL 0)
  message(FATAL_ERROR "${WORK}/example.out differs from ${SOURCE}/expected.out")
endif()
