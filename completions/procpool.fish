# Completion of procpool for fish; install as .../fish/vendor_completions.d/procpool.fish

# Is the word that is typed one of our options, and not one of the command's?
function __procpool_in_options
    set -l words (commandline -opc)
    test (count $words) -ge 2; and test $words[2] = run; or return 1
    set -l skip 0
    for word in $words[3..-1]
        if test $skip = 1
            set skip 0
        else if string match -qr '^(-d|--delimiter|-a|--arg-file|-C|--colsep|--plugin|--function|--workdir|--env|-j|--jobs|--timeout|--soft-timeout|--retries|--retry-delay|--halt|--delay|--nice|--memfree|--load|--max-memory|--max-cpu|--max-files|--results|--joblog|-P)$' -- $word
            set skip 1
        else if not string match -q -- '-*' $word
            return 1
        end
    end
end

function __procpool_has_command
    set -l words (commandline -opc)
    test (count $words) -ge 2; and test $words[2] = run; and not __procpool_in_options
end

complete -c procpool -n __fish_use_subcommand -f -a run -d 'Run a command for each of many inputs'
complete -c procpool -n __fish_use_subcommand -f -a help -d 'Show help'
complete -c procpool -n __fish_use_subcommand -f -a version -d 'Show the version'
complete -c procpool -n '__fish_seen_subcommand_from help' -f -a 'run options'
complete -c procpool -n __procpool_in_options -f -a '(__fish_complete_command)'
complete -c procpool -n __procpool_has_command -a '::: :::: :::+ ::::+'
complete -c procpool -n __procpool_in_options -s 0 -l null -d 'Inputs end with a NUL byte instead of a newline'
complete -c procpool -n __procpool_in_options -s d -l delimiter -x -d 'Inputs end with the character C'
complete -c procpool -n __procpool_in_options -s a -l arg-file -r -F -d 'Inputs are the lines of FILE, as with \'::::\''
complete -c procpool -n __procpool_in_options -s C -l colsep -x -d 'SEP stands between the columns {1}, {2}, ... of an input'
complete -c procpool -n __procpool_in_options -l csv -d 'Inputs are records of comma-separated values, with quotes as in RFC 4180'
complete -c procpool -n __procpool_in_options -l header -d 'The first input of each source has the names of its columns: {name}'
complete -c procpool -n __procpool_in_options -l shell -d 'The command is a line for /bin/sh; inputs are quoted for it'
complete -c procpool -n __procpool_in_options -l plugin -r -F -d 'A shared object: call its --function in the workers, no command'
complete -c procpool -n __procpool_in_options -l function -x -d 'The function of --plugin'
complete -c procpool -n __procpool_in_options -l json-lines -d 'Each input is a JSON value for the function, its result a line of JSON'
complete -c procpool -n __procpool_in_options -l workdir -x -a '(__fish_complete_directories)' -d 'Run in DIR'
complete -c procpool -n __procpool_in_options -l env -x -d 'A variable for the jobs; may be given again'
complete -c procpool -n __procpool_in_options -s j -l jobs -x -d 'How many at a time, 1 to 1024, or N% of the CPUs (default: one per CPU)'
complete -c procpool -n __procpool_in_options -l timeout -x -d 'Stop a job, with all that it started, after TIME: 10, 1.5s, 500ms, 2m, 1h'
complete -c procpool -n __procpool_in_options -l soft-timeout -x -d 'Send a job SIGNAL (TERM) after TIME, and let it end by itself'
complete -c procpool -n __procpool_in_options -l retries -x -d 'Run a job that failed up to N more times'
complete -c procpool -n __procpool_in_options -l retry-delay -x -d 'Wait before a retry: TIME, then twice as long each time'
complete -c procpool -n __procpool_in_options -l halt -x -a 'never soon,fail=1 now,fail=1 soon,fail=10% now,success=1 soon,done=1' -d 'End the run when N jobs, or P% of the inputs, have failed, succeeded or ended'
complete -c procpool -n __procpool_in_options -l delay -x -d 'Start jobs at least TIME apart'
complete -c procpool -n __procpool_in_options -l nice -x -d 'Run jobs N nicer, -20 to 19'
complete -c procpool -n __procpool_in_options -l memfree -x -d 'Start a job only while SIZE of memory is available: 500M, 2G'
complete -c procpool -n __procpool_in_options -l load -x -d 'Start a job only while the load average is below L, or L% of the CPUs'
complete -c procpool -n __procpool_in_options -l max-memory -x -d 'Address space of each process of a job'
complete -c procpool -n __procpool_in_options -l max-cpu -x -d 'Processor time of each process of a job, in whole seconds'
complete -c procpool -n __procpool_in_options -l max-files -x -d 'Open files of each process of a job'
complete -c procpool -n __procpool_in_options -s k -l keep-order -d 'Write results in the order of the inputs'
complete -c procpool -n __procpool_in_options -l line-buffer -d 'Write whole lines as they come; those of different jobs may alternate'
complete -c procpool -n __procpool_in_options -l tag -d 'Begin each line with the input and a tab'
complete -c procpool -n __procpool_in_options -l results -x -a '(__fish_complete_directories)' -d 'Keep DIR/NUMBER/out, err and status of each job as well'
complete -c procpool -n __procpool_in_options -l quiet -d 'No list of failures, no summary, no progress'
complete -c procpool -n __procpool_in_options -l joblog -r -F -d 'Append a line for each job that has ended, as GNU parallel does'
complete -c procpool -n __procpool_in_options -l resume -d 'Pass over the inputs that the job log has'
complete -c procpool -n __procpool_in_options -l resume-failed -d 'Pass over those that succeeded, and run the others'
complete -c procpool -n __procpool_in_options -l retry-failed -d 'Run the failed commands of the job log again; no command, no inputs'
complete -c procpool -n __procpool_in_options -l progress -d 'A line now and then where there is no terminal'
complete -c procpool -n __procpool_in_options -l stats -d 'Run times and their histogram at the end'
complete -c procpool -n __procpool_in_options -l json -d 'Standard output is events, one JSON object a line, with the output in them'
complete -c procpool -n __procpool_in_options -l dry-run -d 'Print the commands, and run nothing'
complete -c procpool -n __procpool_in_options -s h -l help -d 'Show the options; \'procpool help options\' explains each'
complete -c procpool -n __procpool_in_options -s P -x -d 'How many at a time'
