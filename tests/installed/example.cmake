# Installs a build, builds an example against what was installed and runs both.
#   BUILD      the build folder, in whose folder `installed` all of it happens
#   EXAMPLE    the example's folder
function(run)
  execute_process(COMMAND ${ARGN} WORKING_DIRECTORY ${BUILD}/installed COMMAND_ERROR_IS_FATAL ANY)
endfunction()

file(REMOVE_RECURSE ${BUILD}/installed)
file(MAKE_DIRECTORY ${BUILD}/installed)
run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${BUILD}/installed/prefix)
run(${CMAKE_COMMAND} -S ${EXAMPLE} -B example -DCMAKE_BUILD_TYPE=Release -DCMAKE_PREFIX_PATH=${BUILD}/installed/prefix)
run(${CMAKE_COMMAND} --build example)
get_filename_component(name ${EXAMPLE} NAME)
run(example/${name})
foreach(file man/man1/apo-train.1 bash-completion/completions/apo-train zsh/site-functions/_apo-train fish/vendor_completions.d/apo-train.fish)
  file(READ ${BUILD}/installed/prefix/share/${file} text)
  if(NOT text MATCHES "config")
    message(FATAL_ERROR "share/${file} says nothing of options")
  endif()
endforeach()
# The folder may be moved. A configuration by its name, which is found in share/.
file(RENAME ${BUILD}/installed/prefix ${BUILD}/installed/moved)
run(moved/bin/apo-train --config mnist_mlp_sgd_apo --print-config)
