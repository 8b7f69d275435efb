# PROCPOOL_MUTANT: the sources are a copy with a deliberate fault, of tests/mutants/.
include_guard(DIRECTORY)

set(mutants "${PROJECT_SOURCE_DIR}/tests/mutants")
set(mutant_patch)
if(NOT PROCPOOL_MUTANT STREQUAL "none")
    set(mutant_patch "${mutants}/${PROCPOOL_MUTANT}.patch")
    if(NOT EXISTS "${mutant_patch}")
        message(FATAL_ERROR "PROCPOOL_MUTANT: no fault is called '${PROCPOOL_MUTANT}'")
    endif()
endif()
set(PROCPOOL_SOURCE_FOLDER "${PROJECT_BINARY_DIR}/mutant/src")
execute_process(
    COMMAND "${mutants}/apply" "${PROJECT_SOURCE_DIR}/src" "${PROCPOOL_SOURCE_FOLDER}" ${mutant_patch}
    COMMAND_ERROR_IS_FATAL ANY)
