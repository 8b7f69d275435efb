#!/bin/sh
# What a person or a program sees of a run: events, statistics, commands, progress, colours.
. "$(dirname "$0")/helpers"

# Each line of out is a JSON object, by somebody else's parser.
is_json_lines()
{
    perl -MJSON::PP -ne 'chomp; eval { JSON::PP->new->utf8->decode($_) } or exit 1' out ||
        complain "a line is no JSON: $(head -n 5 out)"
}

# pick EVENT MEMBER: its values, in JSON, in the order of the inputs.
pick()
{
    perl -MJSON::PP -e '
        my ($event, $member) = @ARGV;
        my $json = JSON::PP->new->utf8->allow_nonref->canonical;
        open my $f, "<", "out" or die;
        my @all = grep { $_->{event} eq $event } map { $json->decode($_) } <$f>;
        print join(" ", map { exists $_->{$member} ? $json->encode($_->{$member}) : "-" }
            sort { ($a->{seq} // 0) <=> ($b->{seq} // 0) } @all), "\n"' "$1" "$2"
}

is()
{
    [ "$2" = "$3" ] || complain "$1 is $2, not $3"
}

begin "--json: begin, start, end and summary"
run -j 2 --json --timeout 1 sh -c 'echo "$1"; echo e >&2; case $1 in s) sleep 9;; k) kill $$;; x) exit 3;; esac' - \
    ::: a x k s
is_status 1
is_json_lines
is jobs "$(pick begin jobs)" 2
is seq "$(pick start seq)" '1 2 3 4'
is attempt "$(pick start attempt)" '1 1 1 1'
is input "$(pick end input)" '"a" "x" "k" "s"'
is state "$(pick end state)" '"done" "failed" "failed" "timed out"'
is exit "$(pick end exit)" '0 3 0 0'
is signal "$(pick end signal)" '0 0 15 9'
is reason "$(pick end reason)" '- "exit 3" "signal 15 (Terminated)" "timed out after 1 s"'
is stdout "$(pick end stdout)" '"a\n" "x\n" "k\n" "s\n"'
is stderr "$(pick end stderr)" '"e\n" "e\n" "e\n" "e\n"'
is failed "$(pick summary failed)" 2
is timed_out "$(pick summary timed_out)" 1

begin "--json: what is no UTF-8, or has NUL bytes, is base64"
run --json printf '\377\0' ::: ''
is_json_lines
is stdout "$(pick end stdout)" -
is stdout_base64 "$(pick end stdout_base64)" '"/wA="'
run --json printf '%s' ::: "$(printf 'a\377')"
is input_base64 "$(pick end input_base64)" '"Yf8="'

begin "--json: a retry is another start, and one end"
run --json --retries 1 sh -c '[ -e mark ] || { : > mark; exit 1; }' ::: x
is attempt "$(pick start attempt)" '1 2'
is attempts "$(pick end attempts)" '2'

begin "--json with --results has no output in the events"
run --json --results kept echo ::: x
is stdout "$(pick end stdout)" -
[ "$(cat kept/1/out)" = x ] || complain "it is not in the results"

begin "--json with functions"
${CC:-cc} -shared -fPIC -I "$here/../../include" -o results.so "$here/results.c" || exit 1
run --json --plugin ./results.so --function give ::: map
is_json_lines
is stdout "$(pick end stdout)" '"{\"a\": 1, \"b\": [0.5]}\n"'

begin "--stats: a histogram that counts each job"
run -j 2 --stats sleep ::: 0 0 0 0.2
is_status 0
says "run times of 4: mean"
awk '/ < / { n += $4 } END { exit n != 4 }' err || complain "the histogram is $(cat err)"
grep -q 'least 0[.][0-9]*, most [0-9.]*[1-9]' err || complain "the extremes are $(head -n 1 err)"
[ "$(tail -n 1 err | cut -c 1-6)" = '4 done' ] || complain "the summary is not the last line"

begin "--dry-run prints the commands in order, and runs nothing"
run --dry-run touch '{}' '{#}' ::: 'a b' c
is_status 0
has_output "touch 'a b' 1
touch c 2
"
[ ! -e c ] || complain "it was run"
[ ! -s err ] || complain "standard error is $(cat err)"
run --dry-run echo '{2}' ::: a
is_status 1
says "lacks a column"
run --dry-run no-such-command-here ::: a
is_status 0

begin "no progress where there is no terminal, but with --progress now and then"
run --progress true ::: a
[ "$(wc -l < err)" -eq 1 ] || complain "a short run has progress lines: $(cat err)"

run --progress sleep ::: 1.3
grep -q '^0 done, 0 failed, 0 timed out, 0 lost, 1 running' err || complain "a longer one has none: $(cat err)"
run sleep ::: 1.3
[ "$(wc -l < err)" -eq 1 ] || complain "there is one that nobody asked for: $(cat err)"

if ! command -v script > /dev/null; then
    echo "script(1) is not installed: the rest is left out"
    finish
fi

# on_terminal COMMAND: run it under a pty; what the terminal got is in `seen`.
on_terminal()
{
    TERM=xterm script -qefc "stty cols 200; $1" /dev/null > seen < /dev/null
    status=$?
    : > err
}

begin "a failure is red on a terminal, unless NO_COLOR is set"
on_terminal "'$procpool' run false ::: a"
grep -q "$(printf '\033\\[31m')" seen || complain "it is not"
on_terminal "NO_COLOR=1 '$procpool' run false ::: a"
grep -q "$(printf '\033\\[31m')" seen && complain "it is, though NO_COLOR is set"
run false ::: a
grep -q "$(printf '\033')" err && complain "it is, without a terminal"

begin "the progress line has a share and a time to go where the number of inputs is known"
on_terminal "'$procpool' run -j 1 sleep ::: 0.3 0.3 0.3"
grep -q '33%, ETA 0:0[01]' seen || complain "words: $(cat -v seen)"
printf '0.3\n0.3\n0.3\n' > naps
on_terminal "'$procpool' run -j 1 sleep < naps"
grep -q '33%, ETA 0:0[01]' seen || complain "a file: $(cat -v seen)"
on_terminal "cat naps | '$procpool' run -j 1 --delay 0.1 sleep"
grep -q 'running, [0-9.]* tasks/s.\[K' seen || complain "a pipe: $(cat -v seen)"

begin "no progress line with --quiet"
on_terminal "'$procpool' run --quiet sleep ::: 0.3"
[ ! -s seen ] || complain "the terminal got $(cat -v seen)"

finish
