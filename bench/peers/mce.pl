#!/usr/bin/perl
# mce.pl - Perl's MCE with the tasks of stream.c: one item a chunk, each result gathered by itself.
#
#     mce.pl [tasks=N] [workers=N]
use strict;
use warnings;
use Time::HiRes qw(clock_gettime CLOCK_MONOTONIC);

eval { require MCE; 1 } or do { print STDERR "mce.pl: $@"; exit 3 };

my %knobs = (tasks => 5000, workers => 2);
for (@ARGV) {
    my ($name, $value) = /^(\w+)=(\d+)$/ or die "usage: mce.pl [tasks=N] [workers=N]\n";
    exists $knobs{$name} or die "mce.pl: no setting '$name'\n";
    $knobs{$name} = $value;
}

my $sum = 0;
my $mce = MCE->new(
    max_workers => $knobs{workers},
    chunk_size  => 1,
    gather      => sub { $sum += $_[0] },
    user_func   => sub { my ($self, $chunk) = @_; MCE->gather($chunk->[0] * 3) },
);
$mce->spawn;
my @items = 0 .. $knobs{tasks} - 1;
my $begin = clock_gettime(CLOCK_MONOTONIC);
$mce->process(\@items);
my $seconds = clock_gettime(CLOCK_MONOTONIC) - $begin;
$mce->shutdown;
$sum == 3 * $knobs{tasks} * ($knobs{tasks} - 1) / 2 or die "mce.pl: wrong sum\n";
printf qq({"figure": "stream", "who": "Perl MCE", "value": %.9g, "unit": "tasks/s"}\n),
    $knobs{tasks} / $seconds;
