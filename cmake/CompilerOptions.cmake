# The language, the warnings and the sanitizers of every target.
include_guard(DIRECTORY)

set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS ON)

# Defined as nothing, so that a source that says `#define _GNU_SOURCE` itself defines the same.
set(PROCPOOL_GNU_SOURCE _GNU_SOURCE=)

set(PROCPOOL_WARNINGS
    -Wall -Wextra -Wshadow -Wconversion -Wformat=2 -Wpointer-arith -Wundef -Wvla -Wwrite-strings
    $<$<COMPILE_LANGUAGE:C>:-Wmissing-prototypes> $<$<COMPILE_LANGUAGE:C>:-Wstrict-prototypes>)
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
    list(APPEND PROCPOOL_WARNINGS -Wduplicated-cond -Wlogical-op)
elseif(CMAKE_C_COMPILER_ID MATCHES "Clang")
    list(APPEND PROCPOOL_WARNINGS
        -Wassign-enum -Wcomma -Wconditional-uninitialized -Wunreachable-code)
endif()

set(PROCPOOL_SANITIZE_FLAGS)
if(PROCPOOL_SANITIZE)
    foreach(sanitizer IN LISTS PROCPOOL_SANITIZE)
        if(NOT sanitizer MATCHES "^(address|undefined|thread)$")
            message(FATAL_ERROR "PROCPOOL_SANITIZE: address;undefined or thread, not '${sanitizer}'")
        endif()
    endforeach()
    list(JOIN PROCPOOL_SANITIZE "," names)
    set(PROCPOOL_SANITIZE_FLAGS
        -fsanitize=${names} -fno-sanitize-recover=all -fno-omit-frame-pointer)
endif()

function(procpool_sanitizer_options target)
    target_compile_options(${target} PRIVATE ${PROCPOOL_SANITIZE_FLAGS})
    target_link_options(${target} PRIVATE ${PROCPOOL_SANITIZE_FLAGS})
endfunction()

function(procpool_compiler_options target)
    procpool_sanitizer_options(${target})
    target_compile_options(${target} PRIVATE ${PROCPOOL_WARNINGS})
    if(PROCPOOL_WERROR)
        target_compile_options(${target} PRIVATE -Werror)
    endif()
    if("thread" IN_LIST PROCPOOL_SANITIZE AND CMAKE_C_COMPILER_ID STREQUAL "GNU")
        target_compile_options(${target} PRIVATE -Wno-tsan) # it cannot follow a fence, and says so
    endif()
endfunction()

# A task passes by some fifty small functions of many files: inlined across them, they cost a fifth less.
# The objects hold machine code beside what the optimizer reads, and that is taken out of the static library
# when it is installed (cmake/Install.cmake): who links it needs neither this compiler nor its plug-in.
function(procpool_whole_optimization objects library)
    if(NOT PROCPOOL_LTO OR PROCPOOL_SANITIZE OR PROCPOOL_COVERAGE OR PROCPOOL_MUTANT OR
       NOT CMAKE_C_COMPILER_ID STREQUAL "GNU" OR CMAKE_BUILD_TYPE MATCHES "^(Debug)?$")
        return()
    endif()
    target_compile_options(${objects} PRIVATE -flto=auto -ffat-lto-objects)
    target_link_options(${library} PRIVATE -flto=auto)
endfunction()

# What is linked with the static library by the hundred takes its machine code.
set(PROCPOOL_LINK_AS_IT_IS)
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
    set(PROCPOOL_LINK_AS_IT_IS -fno-lto)
endif()

# Structs of some cache lines are cleared and copied by plain stores: the string instructions that gcc
# takes otherwise need tens of cycles to begin, and a task has eight of them on its way.
if(CMAKE_C_COMPILER_ID STREQUAL "GNU" AND CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64)$")
    set(lines "unrolled_loop:256:noalign,libcall:-1:noalign")
    set(PROCPOOL_COPIES -mmemset-strategy=${lines} -mmemcpy-strategy=${lines})
endif()
