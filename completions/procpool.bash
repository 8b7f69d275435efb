# Completion of procpool for bash; install as .../bash-completion/completions/procpool

# _procpool_files OPTION... WORD: names of files, which bash quotes and marks as such.
_procpool_files()
{
    local IFS=$'\n'
    COMPREPLY=($(compgen "$@"))
    compopt -o filenames 2> /dev/null
}

# The word at $1 is the value of the option before it, or empty.
_procpool_value()
{
    case $1 in
    -j | -P | --jobs) COMPREPLY=($(compgen -W '1 2 4 8 16 50% 100% 200%' -- "$2")) ;;
    --halt) COMPREPLY=($(compgen -W 'never soon,fail=1 now,fail=1 soon,fail=10% now,success=1
                                     soon,done=1' -- "$2")) ;;
    --workdir | --results) _procpool_files -d -- "$2" ;;
    -a | --arg-file | --plugin | --joblog) _procpool_files -f -- "$2" ;;
    --env) COMPREPLY=($(compgen -v -S = -- "$2")) ;;
    -d | --delimiter | -C | --colsep | --function | --timeout | --soft-timeout | --retries | \
        --retry-delay | --delay | --nice | --memfree | --load | --max-memory | --max-cpu | \
        --max-files) COMPREPLY=() ;;
    *) return 1 ;;
    esac
}

_procpool_run_options='-0 --null -d --delimiter -a --arg-file -C --colsep --csv --header --shell
    --plugin --function --json-lines --workdir --env -j -P --jobs --timeout --soft-timeout --retries
    --retry-delay --halt --delay --nice --memfree --load --max-memory --max-cpu --max-files -k
    --keep-order --line-buffer --tag --results --quiet --joblog --resume --resume-failed
    --retry-failed --progress --stats --json --dry-run -h --help'

_procpool_run()
{
    local word=${COMP_WORDS[COMP_CWORD]} at command=0
    for ((at = 2; at < COMP_CWORD; at++)); do
        case ${COMP_WORDS[at]} in
        --*=*) ;;
        -d | -a | -C | -j | -P | --delimiter | --arg-file | --colsep | --plugin | --function | \
            --workdir | --env | --jobs | --timeout | --soft-timeout | --retries | --retry-delay | \
            --halt | --delay | --nice | --memfree | --load | --max-memory | --max-cpu | \
            --max-files | --results | --joblog) ((at++)) ;;
        -*) ;;
        *)
            command=$at
            break
            ;;
        esac
    done
    if ((command > 0)); then # the command's arguments, or inputs
        _procpool_files -f -W $':::\n::::\n:::+\n::::+' -- "$word"
        return
    fi
    _procpool_value "${COMP_WORDS[COMP_CWORD - 1]}" "$word" && return
    if [[ $word == -* ]]; then
        COMPREPLY=($(compgen -W "$_procpool_run_options" -- "$word"))
    else
        COMPREPLY=($(compgen -c -- "$word"))
    fi
}

_procpool()
{
    COMPREPLY=()
    if ((COMP_CWORD == 1)); then
        COMPREPLY=($(compgen -W 'run help version --help --version' -- "${COMP_WORDS[1]}"))
    elif [[ ${COMP_WORDS[1]} == run ]]; then
        _procpool_run
    elif [[ ${COMP_WORDS[1]} == help ]] && ((COMP_CWORD == 2)); then
        COMPREPLY=($(compgen -W 'run options' -- "${COMP_WORDS[2]}"))
    fi
}

complete -F _procpool procpool
