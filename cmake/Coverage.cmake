# PROCPOOL_COVERAGE: everything counts how often each line and branch is executed.  Workers and fork servers
# end by _exit, which writes no counters: here it does, by tests/coverage/exit.c, and so does a worker
# that crashed.  What is killed is not counted.
include_guard(DIRECTORY)

add_library(procpool-coverage OBJECT tests/coverage/exit.c)
set_target_properties(procpool-coverage PROPERTIES POSITION_INDEPENDENT_CODE ON)
target_compile_definitions(procpool-coverage PRIVATE _GNU_SOURCE)
add_compile_options(--coverage -fprofile-update=atomic)
add_link_options(--coverage -rdynamic "LINKER:--wrap=_exit" "LINKER:--wrap=tgkill")
link_libraries($<TARGET_OBJECTS:procpool-coverage>)
