# Packs the archive, unpacks it in a folder of another name, and trains there with the LibTorch that is named, and only that one.
#   BUILD   the build folder, in whose folder `archive` all of it happens
#   TORCH   LibTorch's folder
set(folder ${BUILD}/archive)
file(REMOVE_RECURSE ${folder})
file(MAKE_DIRECTORY ${folder})
execute_process(
  COMMAND
    ${CMAKE_CPACK_COMMAND} --config ${BUILD}/CPackConfig.cmake -B ${folder} -G TGZ -D CPACK_PACKAGE_FILE_NAME=apo-train
  WORKING_DIRECTORY ${folder}
  COMMAND_ERROR_IS_FATAL ANY
)
set(place "${folder}/a strange place")
file(ARCHIVE_EXTRACT INPUT ${folder}/apo-train.tar.gz DESTINATION ${place})
set(command ${place}/bin/apo-train --config mlp --output runs --overwrite --progress off)
execute_process(
  COMMAND ${CMAKE_COMMAND} -E env APO_TORCH_DIR=${TORCH} ${command} WORKING_DIRECTORY ${folder} COMMAND_ERROR_IS_FATAL ANY
)
if(NOT EXISTS ${folder}/runs/mlp/summary.json)
  message(FATAL_ERROR "no summary of the run")
endif()
execute_process(
  COMMAND ${CMAKE_COMMAND} -E env --unset=APO_TORCH_DIR PYTHON=/no/python ${command}
  WORKING_DIRECTORY ${folder}
  RESULT_VARIABLE result
  ERROR_VARIABLE error
)
if(NOT result EQUAL 3 OR NOT error MATCHES "^apo-train: error: no LibTorch; [^\n]*\n$")
  message(FATAL_ERROR "without LibTorch: ${result}, ${error}")
endif()
