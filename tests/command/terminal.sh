#!/bin/sh
# On a terminal: its keys, its size, its end.
. "$(dirname "$0")/helpers"

if ! command -v script > /dev/null; then
    echo "script(1) is not installed: all of it is left out"
    finish
fi

# A job that says that it runs, and waits for leave to end.
cat > waiter <<'SCRIPT'
#!/bin/sh
echo $$ > "pid.$1"
while [ ! -e leave ]; do sleep 0.02; done
echo "<$1>"
SCRIPT
chmod +x waiter

# For the background.  A shell starts what stands before `&` with INT ignored, and that would be inherited.
script()
{
    exec perl -e '$SIG{INT} = $SIG{QUIT} = "DEFAULT"; exec "script", @ARGV' -- "$@"
}

# What script(1) starts its commands with: else it is the caller's shell, and not every shell outlives
# the Ctrl-C that was meant for the command in it.
SHELL=/bin/sh
export SHELL

# open_terminal COLUMNS COMMAND: run it under a pty; keys are written to descriptor 8, `seen` is what
# the terminal gets, and `code` the status.  The empty trap's command is not inherited: the command
# has the signal as it always is.
open_terminal()
{
    rm -f seen keys leave code pid.*
    mkfifo keys
    : > err
    TERM=xterm script -qefc "trap : INT; stty cols $1; $2; echo \$? > code" /dev/null > seen 2>&1 < keys &
    terminal=$!
    exec 8> keys
}

close_terminal()
{
    [ -s code ] || { kill -KILL $terminal; echo 255 > code; }
    exec 8>&-
    wait $terminal
    status=$(cat code)
}

begin "Ctrl-C once: what runs finishes, and the jobs do not get the signal"
open_terminal 200 "'$procpool' run -j 2 ./waiter ::: a b c"
until_true test -s pid.a -a -s pid.b
printf '\003' >&8
until_true grep -q 'a second signal' seen
: > leave
until_true test -s code
close_terminal
is_status 130
grep -q '<a>' seen && grep -q '<b>' seen || complain "the terminal got $(cat -v seen)"
[ ! -e pid.c ] || complain "another one was started"
grep -q '2 done, 0 failed, 0 timed out, 0 lost, 1 cancelled' seen || complain "$(cat -v seen)"

begin "Ctrl-C twice: everything ends at once"
open_terminal 200 "'$procpool' run -j 2 ./waiter ::: a b c"
until_true test -s pid.a -a -s pid.b
printf '\003' >&8
until_true grep -q 'a second signal' seen
printf '\003' >&8
until_true test -s code
close_terminal
is_status 130
until_true is_gone "$(cat pid.a)"
until_true is_gone "$(cat pid.b)"

begin "a terminal that gets narrower gets a shorter line at once"
open_terminal 120 "(while [ ! -e narrow ]; do sleep 0.02; done; stty cols 20 < /dev/tty; : > resized) &
    '$procpool' run ./waiter ::: a"
until_true grep -q 'lost, 1 running' seen
: > narrow
until_true test -e resized
until_true sh -c "tr '\r' '\n' < seen | grep -qx '0 done, 0 failed, [^l]*..K'"
: > leave
until_true test -s code
close_terminal
is_status 0

begin "a terminal that is closed ends the run, and leaves no job"
rm -f seen keys leave code pid.*
mkfifo keys
TERM=xterm script -qefc "echo \$\$ > shell; exec '$procpool' run -j 2 --joblog log ./waiter ::: a b c d" \
    /dev/null > seen 2>&1 < keys &
terminal=$!
exec 8> keys
until_true test -s pid.a -a -s pid.b
kill -KILL $terminal
exec 8>&-
wait $terminal 2> /dev/null
: > leave
until_true is_gone "$(cat shell)"
until_true is_gone "$(cat pid.a)"
until_true is_gone "$(cat pid.b)"
[ ! -e pid.c ] || complain "another one was started"
rm -f leave
run --joblog log --resume -k echo ::: a b c d
tail -n 2 out > rest
printf 'c\nd\n' | cmp -s - rest || complain "--resume runs $(cat out)"

begin "inputs typed at the terminal"
open_terminal 120 "'$procpool' run sh -c 'echo \"<\$1>\"' -"
until_true grep -q 'reading inputs from the terminal' seen
printf 'typed\n' >&8
until_true grep -q '<typed>' seen
printf '\004' >&8
until_true test -s code
close_terminal
is_status 0

begin "output without a newline at its end is not overwritten"
open_terminal 200 "'$procpool' run -j 1 sh -c 'sleep 0.4; printf \"part.\$1\"' - ::: 1 2 3"
until_true test -s code
close_terminal
is_status 0
if tr '\r' '@' < seen | grep -q 'part\.[12]@'; then complain "the terminal got $(cat -v seen)"; fi
tail -n 1 seen | grep -q '^3 done' || complain "the terminal got $(cat -v seen)"

begin "the progress line comes back behind what was coloured"
open_terminal 200 "'$procpool' run -j 1 sh -c 'printf \"part.\$1\n\033[0m\"; sleep 0.5' - ::: 1 2 3"
until_true test -s code
close_terminal
tr '\r' '\n' < seen | grep -q '^2 done, .*1 running' || complain "the terminal got $(cat -v seen)"

finish
