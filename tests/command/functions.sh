#!/bin/sh
# Functions called with JSON values, with several columns, and a million times.
. "$(dirname "$0")/helpers"

${CC:-cc} -shared -fPIC -I "$here/../../include" -o values.so "$here/values.c" || exit 1
${CC:-cc} -shared -fPIC -I "$here/../../include" -o results.so "$here/results.c" || exit 1

begin "--json-lines: a value of each kind arrives as it is, and comes back as a line"
cat > values <<'END'
null
true
false
0
-9223372036854775808
9223372036854775807
0.1
-1e300
""
"two words, \"quotes\", \\ and \u00e9"
[]
{}
[1, [2, [3, null]], {"a": []}]
{"name": "x", "list": [1, 2.5, "three"], "deep": {"er": true}}
END
run -k --plugin ./values.so --function same --json-lines < values
is_status 0
perl -MJSON::PP -e '
    my $json = JSON::PP->new->utf8->allow_nonref->canonical;
    open my $want, "<", "values"; open my $got, "<", "out";
    while (my $line = <$want>) {
        my $back = <$got> // exit 1;
        $json->encode($json->decode($line)) eq $json->encode($json->decode($back)) or die "$line became $back";
    }' || complain "they did not come back"

begin "an object is a value that the function takes apart"
run --plugin ./values.so --function area --json-lines ::: '{"w": 3, "h": 4}'
is_status 0
has_output '12
'

begin "a line that is no JSON is that input's failure"
printf '1\n{"a":}\n"open\n[1] 2\n\n2\n' > values
run -k --plugin ./values.so --function same --json-lines < values
is_status 1
has_output '1
2
'
sums_up '2 done, 4 failed, 0 timed out, 0 lost'
says "'{\"a\":}': it is not JSON"

begin "JSON that cannot be passed on says why"
printf '{"a\\"b": 1}\n{"a": 1, "a": 2}\n123456789012345678901234567890\n"\\u0000"\n"\377"\n' > values
perl -e 'print "[" x 100, "]" x 100, "\n"; print "[", join(",", (1) x 30000), "]\n"' >> values
run -k --plugin ./values.so --function same --json-lines < values
is_status 1
has_output ''
sums_up '0 done, 7 failed, 0 timed out, 0 lost'
says "nested too deep, or a key that is not plain"
says "more values than can be passed on"

begin "thousands of values in one line"
perl -e 'print "[", join(", ", 1 .. 20000), "]\n"' > values
run --plugin ./values.so --function same --json-lines < values
is_status 0
cmp -s out values || complain "they came back otherwise"

begin "without --json-lines several columns are several arguments"
run -k --plugin ./values.so --function pair ::: a 'b c' ::: 1
is_status 0
has_output 'a=1
b c=1
'

begin "a million inputs, each once"
seq 1000000 > lines
run -j 2 --plugin ./results.so --function give < lines
is_status 0
sums_up '1000000 done, 0 failed, 0 timed out, 0 lost'
sort -n out | cmp -s - lines || complain "they are not those of the input"

finish
