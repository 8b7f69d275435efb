# The tests.
#
#   tests/unit/*.c           one program each; label unit
#   tests/process/test_*.c   one program each, with the folder's other files as objects; label process
#   tests/plugins/*.c        objects that those programs load
#   tests/command/*.sh       the command as a person uses it; label command
#   tests/soak/              one program, random chaos; a short form of it runs here; label soak
#   tests/kill/              a death at each instruction; a sample runs here; label kill
#   tests/faults/            every system call fails; label faults
#   tests/cost/              instructions of each part of a task's way, counted by callgrind; label cost
#   tests/examples/          what each example prints; label examples
#   tests/mutants/           deliberate faults, which the tests find: `make mutants`; label mutants
#   src/shm/mailbox.pml      the model of the protocol, by tools/check-model; label model
#   tests/build/             what is built and installed is what was promised; label build
#
# The programs see the headers in src/ and hold the whole static library, so that a plug-in finds
# all of it.
include_guard(DIRECTORY)
enable_testing()

if(NOT PROCPOOL_CMOCKA_FOUND)
    message(FATAL_ERROR "the tests need cmocka (Debian: libcmocka-dev)")
endif()

set(tests_folder "${PROJECT_BINARY_DIR}/tests")
set(plugin_folder "${tests_folder}/plugins")
set(time_factor 1)
set(test_definitions)
set(test_environment)
set(test_launcher)
if(PROCPOOL_COVERAGE) # each process that ends writes its counters
    set(time_factor 3)
endif()
if(PROCPOOL_MUTANT) # a test that hangs has found it
    set(test_definitions PATIENCE=6.0)
endif()
if(PROCPOOL_SANITIZE)
    set(time_factor 3)
    # Tasks of the tests crash on purpose, and what is promised about them is the plain signal.  Variables
    # of the threads of a library that was loaded late (libdw) make LeakSanitizer crash where it
    # guesses their size.
    set(signals
        handle_segv=0:handle_sigbus=0:handle_abort=0:handle_sigill=0:handle_sigfpe=0)
    set(test_environment
        "ASAN_OPTIONS=detect_leaks=1:abort_on_error=1:strict_string_checks=1:detect_stack_use_after_return=1:intercept_tls_get_addr=0:${signals}"
        "UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1"
        "TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1:${signals}")
    # Where addresses are random in more bits than the sanitizers of the time know, not at all.
    if(EXISTS /proc/sys/vm/mmap_rnd_bits)
        file(STRINGS /proc/sys/vm/mmap_rnd_bits random_bits LIMIT_COUNT 1)
        if(random_bits GREATER 28)
            find_program(PROCPOOL_SETARCH setarch REQUIRED)
            set(test_launcher "${PROCPOOL_SETARCH}" --addr-no-randomize)
        endif()
    endif()
endif()

file(GLOB plugin_sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/plugins/*.c")
set(plugin_targets)
foreach(source IN LISTS plugin_sources)
    get_filename_component(name "${source}" NAME_WE)
    procpool_plugin(test-plugin-${name} "${source}" "${plugin_folder}")
    target_compile_definitions(test-plugin-${name} PRIVATE ${PROCPOOL_GNU_SOURCE})
    list(APPEND plugin_targets test-plugin-${name})
endforeach()

# What a program of the tests and its parts are compiled with.
function(procpool_test_options target)
    procpool_compiler_options(${target})
    target_compile_definitions(${target} PRIVATE
        ${PROCPOOL_GNU_SOURCE} PP_TEST_PLUGIN_DIR="${plugin_folder}" ${test_definitions})
    target_include_directories(${target} PRIVATE
        "${PROCPOOL_SOURCE_FOLDER}" "${PROJECT_SOURCE_DIR}/include" "${PROJECT_SOURCE_DIR}/tests")
    if(TARGET procpool-command)
        target_compile_definitions(${target} PRIVATE
            PP_TEST_COMMAND="$<TARGET_FILE:procpool-command>")
    endif()
endfunction()

# procpool_test_program(kind source timeout [objects])
function(procpool_test_program kind source timeout)
    get_filename_component(name "${source}" NAME_WE)
    set(target ${kind}-${name})
    add_executable(${target} "${source}" ${ARGN})
    procpool_test_options(${target})
    target_link_options(${target} PRIVATE ${PROCPOOL_LINK_AS_IT_IS})
    target_link_libraries(${target} PRIVATE
        $<LINK_LIBRARY:WHOLE_ARCHIVE,procpool_static> PkgConfig::PROCPOOL_MSGPACK
        PkgConfig::PROCPOOL_CMOCKA Threads::Threads ${CMAKE_DL_LIBS})
    set_target_properties(${target} PROPERTIES
        OUTPUT_NAME ${name} RUNTIME_OUTPUT_DIRECTORY "${tests_folder}/${kind}" ENABLE_EXPORTS ON)
    if(plugin_targets)
        add_dependencies(${target} ${plugin_targets})
    endif()
    if(TARGET procpool-command)
        add_dependencies(${target} procpool-command)
    endif()
    math(EXPR seconds "${timeout} * ${time_factor}")
    if(PROCPOOL_MUTANT)
        math(EXPR seconds "${seconds} / 4")
    endif()
    add_test(NAME ${kind}/${name} COMMAND ${test_launcher} $<TARGET_FILE:${target}>
             WORKING_DIRECTORY "${tests_folder}/${kind}")
    set_tests_properties(${kind}/${name} PROPERTIES
        LABELS ${kind} TIMEOUT ${seconds} ENVIRONMENT "${test_environment}")
endfunction()

file(GLOB unit_sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/unit/*.c")
foreach(source IN LISTS unit_sources)
    procpool_test_program(unit "${source}" 60)
endforeach()
target_sources(unit-command_outlets PRIVATE "${PROCPOOL_SOURCE_FOLDER}/command/outlets.c")

file(GLOB process_sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/process/test_*.c")
file(GLOB process_support CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/process/*.c")
list(FILTER process_support EXCLUDE REGEX "/test_[^/]*$")
if(PROCPOOL_SANITIZE) # a gigabyte through a sanitizer's shadow shows nothing more, and takes minutes
    list(FILTER process_sources EXCLUDE REGEX "/test_huge_payload[.]c$")
endif()
add_library(process-support OBJECT ${process_support})
procpool_test_options(process-support)
target_link_libraries(process-support PRIVATE PkgConfig::PROCPOOL_CMOCKA)
foreach(source IN LISTS process_sources)
    procpool_test_program(process "${source}" 120 $<TARGET_OBJECTS:process-support>)
endforeach()

target_link_options(process-test_bystanders PRIVATE
    "LINKER:--wrap=pp_pool_recall" "LINKER:--wrap=pp_pool_harvest")

# The soak sees the public header only, as any program would.
file(GLOB soak_sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/soak/*.c")
add_executable(soak ${soak_sources})
procpool_compiler_options(soak)
target_compile_definitions(soak PRIVATE ${PROCPOOL_GNU_SOURCE})
target_link_libraries(soak PRIVATE procpool Threads::Threads)
set_target_properties(soak PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY "${tests_folder}/soak" ENABLE_EXPORTS ON)
add_test(NAME soak/nothing_is_lost_in_chaos
         COMMAND ${test_launcher} $<TARGET_FILE:soak> --seconds 12 --round 1.5 --seed 20)
set_tests_properties(soak/nothing_is_lost_in_chaos PROPERTIES
    LABELS soak TIMEOUT 300 ENVIRONMENT "${test_environment}")

# A ptracer that knows the registers and the trap instruction of one architecture; and the library once
# more for each level of optimization, whose instructions it goes through.
function(procpool_kill_sweep level trials)
    set(objects kill-objects-${level})
    set(target kill-sweep-${level})
    add_library(${objects} OBJECT ${PROCPOOL_SOURCES})
    add_executable(${target} ${ARGN} $<TARGET_OBJECTS:${objects}>)
    foreach(part IN ITEMS ${objects} ${target})
        procpool_compiler_options(${part})
        target_compile_options(${part} PRIVATE -g -${level})
        target_compile_definitions(${part} PRIVATE
            ${PROCPOOL_GNU_SOURCE} PROCPOOL_VERSION="${PROJECT_VERSION}" PP_SPINS_MIN=4)
        target_include_directories(${part} PRIVATE
            "${PROCPOOL_SOURCE_FOLDER}" "${PROJECT_SOURCE_DIR}/include")
        target_link_libraries(${part} PRIVATE
            PkgConfig::PROCPOOL_MSGPACK Threads::Threads ${CMAKE_DL_LIBS})
    endforeach()
    # Bound at start-up: what a worker does is then the same however much the host has done before.
    # Whoever is about to sleep passes by tests/kill/moment.c.
    target_link_options(${target} PRIVATE "LINKER:-z,now"
        "LINKER:--wrap=epoll_wait" "LINKER:--wrap=pthread_cond_clockwait")
    add_dependencies(kill-sweep ${target})
    set(test kill/a_death_at_any_instruction_loses_nothing_${level})
    add_test(NAME ${test} COMMAND ${target}
        --label ${CMAKE_C_COMPILER_ID}-${level} --sample ${trials} --seed 1)
    set_tests_properties(${test} PROPERTIES LABELS kill TIMEOUT 900 COST 500)
endfunction()

if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64)$" AND NOT PROCPOOL_SANITIZE)
    file(GLOB kill_sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/kill/*.c")
    add_custom_target(kill-sweep)
    procpool_kill_sweep(O0 5000 ${kill_sources})
    procpool_kill_sweep(O2 5000 ${kill_sources})
endif()

if(TARGET procpool-command AND PROCPOOL_BUILD_EXAMPLES)
    file(GLOB command_tests CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/command/*.sh")
    math(EXPR command_seconds "120 * ${time_factor}")
    foreach(script IN LISTS command_tests)
        get_filename_component(name "${script}" NAME_WE)
        add_test(NAME command/${name}
            COMMAND ${test_launcher} sh "${script}" "${PROJECT_BINARY_DIR}")
        set_tests_properties(command/${name} PROPERTIES
            LABELS command TIMEOUT ${command_seconds} ENVIRONMENT "${test_environment}")
    endforeach()
endif()

# Each example runs, and prints what is written down for it.
if(PROCPOOL_BUILD_EXAMPLES)
    file(GLOB examples CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/examples/*.c")
    math(EXPR example_seconds "120 * ${time_factor}")
    foreach(source IN LISTS examples)
        get_filename_component(name "${source}" NAME_WE)
        if(TARGET examples-${name} AND NOT name MATCHES "^plugin_")
            add_test(NAME examples/${name} COMMAND ${test_launcher} sh
                "${PROJECT_SOURCE_DIR}/tests/examples/check.sh" "${PROJECT_BINARY_DIR}" ${name})
            set_tests_properties(examples/${name} PROPERTIES
                LABELS examples TIMEOUT ${example_seconds} ENVIRONMENT "${test_environment}")
        endif()
    endforeach()
endif()

# procpool_build_test(name timeout command...)
function(procpool_build_test name timeout)
    add_test(NAME build/${name} COMMAND ${ARGN} WORKING_DIRECTORY "${PROJECT_SOURCE_DIR}")
    set_tests_properties(build/${name} PROPERTIES LABELS build TIMEOUT ${timeout})
endfunction()

set(build_tests "${PROJECT_SOURCE_DIR}/tests/build")
procpool_build_test(examples_are_listed 300 sh "${build_tests}/check-examples.sh"
    "${PROJECT_SOURCE_DIR}")
procpool_build_test(documents 300 sh "${build_tests}/check-documents.sh" "${PROJECT_SOURCE_DIR}")
procpool_build_test(includes 300 sh "${build_tests}/check-includes.sh" "${PROJECT_SOURCE_DIR}/src")

if(NOT PROCPOOL_SANITIZE) # the rest is about what is shipped
    procpool_build_test(symbols 300 sh "${build_tests}/check-symbols.sh" "${CMAKE_C_COMPILER}"
        "${PROJECT_SOURCE_DIR}/include/procpool.h" $<TARGET_FILE:procpool>)
    procpool_build_test(install 600 sh "${build_tests}/check-install.sh"
        "${CMAKE_COMMAND}" "${PROJECT_BINARY_DIR}" "${build_tests}" "${CMAKE_C_COMPILER}")
    if(NOT PROCPOOL_SCDOC)
        message(FATAL_ERROR "the tests need scdoc")
    endif()
    procpool_build_test(manual 300 sh "${build_tests}/check-manual.sh" "${CMAKE_C_COMPILER}"
        "${PROJECT_SOURCE_DIR}" "${PROJECT_BINARY_DIR}" $<TARGET_FILE:procpool>)

    find_program(PROCPOOL_ABIDIFF abidiff)
    set(recorded "${PROJECT_SOURCE_DIR}/abi/${CMAKE_SYSTEM_PROCESSOR}/libprocpool.so.0.abixml")
    if(PROCPOOL_ABIDIFF AND CMAKE_BUILD_TYPE MATCHES "DebInfo" AND EXISTS "${recorded}")
        procpool_build_test(interface 300 sh "${PROJECT_SOURCE_DIR}/tools/record-abi" --check
            $<TARGET_FILE:procpool> "${recorded}")
    endif()
    procpool_build_test(older_programs 300 sh "${build_tests}/check-older.sh"
        "${CMAKE_C_COMPILER}" "${PROJECT_SOURCE_DIR}" $<TARGET_FILE:procpool>)

    # The model is the same under every compiler: once is enough.
    find_program(PROCPOOL_SPIN spin)
    if(PROCPOOL_SPIN AND CMAKE_C_COMPILER_ID STREQUAL "GNU")
        foreach(part IN ITEMS quick faults)
            add_test(NAME model/${part} COMMAND sh "${PROJECT_SOURCE_DIR}/tools/check-model"
                "${PROJECT_BINARY_DIR}/model/${part}" ${part})
            set_tests_properties(model/${part} PROPERTIES LABELS model TIMEOUT 900 COST 1000)
        endforeach()
    endif()

    find_program(PROCPOOL_VALGRIND valgrind)
    if(PROCPOOL_VALGRIND AND CMAKE_C_COMPILER_ID STREQUAL "GNU")
        foreach(source IN LISTS unit_sources)
            get_filename_component(name "${source}" NAME_WE)
            if(name MATCHES "^codec_")
                add_test(NAME valgrind/${name}
                    COMMAND "${PROCPOOL_VALGRIND}" --quiet --error-exitcode=99 --leak-check=full
                            --track-origins=yes $<TARGET_FILE:unit-${name}>
                    WORKING_DIRECTORY "${tests_folder}/unit")
                set_tests_properties(valgrind/${name} PROPERTIES LABELS valgrind TIMEOUT 300)
            endif()
        endforeach()
    endif()

    # The numbers in limits.txt are those of Debian 12's compiler.
    if(PROCPOOL_VALGRIND AND CMAKE_C_COMPILER_ID STREQUAL "GNU" AND NOT PROCPOOL_MUTANT AND
       CMAKE_C_COMPILER_VERSION MATCHES "^12[.]" AND CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo" AND
       CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64)$")
        set(cost_source "${PROJECT_SOURCE_DIR}/tests/cost")
        procpool_test_program(cost "${cost_source}/cost.c" 120
            "${PROJECT_SOURCE_DIR}/tests/fuzz/host.c")
        set_tests_properties(cost/cost PROPERTIES LABELS cost)
        add_test(NAME cost/no_part_of_a_task_costs_more_than_it_did
            COMMAND sh "${cost_source}/check.sh" $<TARGET_FILE:cost-cost> "${tests_folder}/cost")
        set_tests_properties(cost/no_part_of_a_task_costs_more_than_it_did PROPERTIES
            LABELS cost TIMEOUT 120)
    endif()
endif()

add_test(NAME mutants/each_fits COMMAND sh "${PROJECT_SOURCE_DIR}/tests/mutants/check")
set_tests_properties(mutants/each_fits PROPERTIES LABELS mutants TIMEOUT 300)

# The library once more, with every call that can fail going through tests/faults/inject.h.
if(NOT PROCPOOL_SANITIZE AND CMAKE_C_COMPILER_ID STREQUAL "GNU")
    set(faults_source "${PROJECT_SOURCE_DIR}/tests/faults")
    add_library(fault-objects OBJECT ${PROCPOOL_SOURCES})
    target_compile_options(fault-objects PRIVATE -w -g -O1 -include "${faults_source}/inject.h")
    set_property(SOURCE ${PROCPOOL_SOURCES} TARGET_DIRECTORY fault-objects APPEND PROPERTY
        OBJECT_DEPENDS "${faults_source}/inject.h;${faults_source}/calls.h")
    target_compile_definitions(fault-objects PRIVATE
        ${PROCPOOL_GNU_SOURCE} PROCPOOL_VERSION="${PROJECT_VERSION}")
    target_include_directories(fault-objects PRIVATE include "${PROCPOOL_SOURCE_FOLDER}")
    target_link_libraries(fault-objects PRIVATE PkgConfig::PROCPOOL_MSGPACK Threads::Threads)

    file(GLOB faults_sources CONFIGURE_DEPENDS "${faults_source}/*.c")
    add_executable(faults ${faults_sources} $<TARGET_OBJECTS:fault-objects>)
    procpool_compiler_options(faults)
    target_compile_definitions(faults PRIVATE ${PROCPOOL_GNU_SOURCE})
    target_include_directories(faults PRIVATE include)
    target_link_libraries(faults PRIVATE
        PkgConfig::PROCPOOL_MSGPACK Threads::Threads ${CMAKE_DL_LIBS})
    set_target_properties(faults PROPERTIES
        RUNTIME_OUTPUT_DIRECTORY "${tests_folder}/faults" ENABLE_EXPORTS ON)
    add_dependencies(faults ${plugin_targets})

    add_test(NAME faults/list COMMAND faults list "${faults_source}")
    add_test(NAME faults/calls COMMAND sh "${faults_source}/check-calls.sh" "${CMAKE_NM}"
        "${faults_source}" $<TARGET_OBJECTS:fault-objects> COMMAND_EXPAND_LISTS)
    add_test(NAME faults/every_site COMMAND faults some "${faults_source}"
        WORKING_DIRECTORY "${plugin_folder}")
    set_tests_properties(faults/list faults/calls faults/every_site PROPERTIES
        LABELS faults TIMEOUT 600)
endif()
