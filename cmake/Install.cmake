# What an installed prefix holds: header, both libraries, command, man pages, and how pkg-config
# and CMake find them.  All of it may be moved as a whole.
include_guard(DIRECTORY)
include(CMakePackageConfigHelpers)

set(config_folder "${CMAKE_INSTALL_LIBDIR}/cmake/procpool")
set(pkgconfig_folder "${CMAKE_INSTALL_LIBDIR}/pkgconfig")

install(FILES include/procpool.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(TARGETS procpool EXPORT procpool-shared
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(TARGETS procpool_static EXPORT procpool-static
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
# What gcc's optimizer reads beside the machine code, only this version of gcc can read.
if(CMAKE_OBJCOPY)
    install(CODE "execute_process(COMMAND \"${CMAKE_OBJCOPY}\" --wildcard
        --remove-section=.gnu.lto_* --remove-section=.gnu.debuglto_*
        \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_LIBDIR}/libprocpool.a\"
        COMMAND_ERROR_IS_FATAL ANY)")
endif()
if(TARGET procpool-command)
    install(TARGETS procpool-command RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
    install(FILES completions/procpool.bash RENAME procpool
            DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
    install(FILES completions/_procpool DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions)
    install(FILES completions/procpool.fish
            DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
endif()

include(cmake/Manual.cmake)

# find_package(procpool [COMPONENTS shared static])
foreach(kind IN ITEMS shared static)
    install(EXPORT procpool-${kind} NAMESPACE procpool:: DESTINATION ${config_folder})
endforeach()
configure_package_config_file(cmake/procpool-config.cmake.in procpool-config.cmake
    INSTALL_DESTINATION ${config_folder} NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(procpool-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/procpool-config.cmake"
              "${CMAKE_CURRENT_BINARY_DIR}/procpool-config-version.cmake"
        DESTINATION ${config_folder})

# pkg-config: folders are given from the place of the file itself.
file(RELATIVE_PATH prefix_from_pc
     "${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig" "${CMAKE_INSTALL_PREFIX}")
string(REGEX REPLACE "/$" "" prefix_from_pc "${prefix_from_pc}")
set(PC_PREFIX "\${pcfiledir}/${prefix_from_pc}")
foreach(folder IN ITEMS INCLUDEDIR LIBDIR)
    if(IS_ABSOLUTE "${CMAKE_INSTALL_${folder}}")
        set(PC_${folder} "${CMAKE_INSTALL_${folder}}")
    else()
        set(PC_${folder} "\${prefix}/${CMAKE_INSTALL_${folder}}")
    endif()
endforeach()
configure_file(cmake/procpool.pc.in procpool.pc @ONLY)
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/procpool.pc" DESTINATION ${pkgconfig_folder})
