# How a thing is measured: by wrk (wall time), by callgrind (instructions).
package Bench::Measure;
use strict;
use warnings;
use Account::Process qw($ROOT temp_dir slurp spew);
use Exporter 'import';

our @EXPORT_OK = qw(wrk begin_wrk end_wrk median spread quantile instructions run_quietly cores);

sub cores { my $n = () = slurp('/proc/cpuinfo') =~ /^processor\s*:/mg; return $n || 1 }

sub median { return quantile(0.5, @_) }

sub quantile {
    my ($q, @values) = @_;
    @values = sort { $a <=> $b } @values or return undef;
    my $at = $q * $#values;
    my $low = int $at;
    return $values[$low] + ($at - $low) * (($values[ $low + 1 ] // $values[$low]) - $values[$low]);
}

# Half of the values are within so many per cent around the median.
sub spread {
    my $median = median(@_);
    return $median ? 100 * (quantile(0.75, @_) - quantile(0.25, @_)) / 2 / $median : 0;
}

# What is asked: {port, path, headers => {...}, bodies => [...], cookies => [...]}. Options: seconds, connections, threads.
sub begin_wrk {
    my ($what, %opt) = @_;
    my $dir = temp_dir('wrk');
    my $file = spew("$dir/headers", join '', map { "$_: $what->{headers}{$_}\n" } sort keys %{ $what->{headers} || {} });
    my ($bodies, $cookies) = map { $what->{$_} ? spew("$dir/$_", join '', map { "$_\n" } @{ $what->{$_} }) : '-' } qw(bodies cookies);
    my @command = ('wrk', '-t', $opt{threads} || 1, '-c', $opt{connections} || 16, '-d', ($opt{seconds} || 3) . 's',
        '--timeout', '60s', '-s', "$ROOT/t/bench/wrk.lua", "http://127.0.0.1:$what->{port}$what->{path}", '--', $file, $bodies, $cookies);
    return { output => "$dir/out", process => Account::Process->spawn(command => \@command, output => "$dir/out",
        limit => ($opt{seconds} || 3) + 90) };
}

# {rate, p50, p99 (microseconds), requests, refused, broken}; dies unless every answer was a good one.
sub end_wrk {
    my ($run, %opt) = @_;
    $run->{process}->wait_for(600);
    my ($line) = slurp($run->{output}) =~ /^FIGURES (.*)$/m or die "wrk said: " . slurp($run->{output}) . "\n";
    my %f = $line =~ /(\w+)=(\d+)/g;
    die "not measured: $f{requests} answers, $f{refused} refused, $f{broken} broken\n"
        if !$f{requests} || (!$opt{lenient} && ($f{refused} || $f{broken}));
    return { %f, rate => ($f{requests} - $f{refused}) * 1e6 / $f{us} };
}

sub wrk { my ($what, %opt) = @_; return end_wrk(begin_wrk($what, %opt), %opt) }

sub run_quietly {
    my (@command) = @_;
    my $dir = temp_dir('run');
    my $run = Account::Process->spawn(command => \@command, output => "$dir/out", limit => 900);
    my $status = $run->wait_for(910) // 255;
    die "@command:\n" . substr(slurp("$dir/out"), -1500) . "\n" if $status;
    return slurp("$dir/out");
}

# Instructions of one request, its reading, answering and logging, in a server of one process that
# was not started yet. $prepare->($server): {path => {request's options}}. Returns {path => instructions}.
sub instructions {
    my ($server, $prepare, $count) = @_;
    my $dir = temp_dir('callgrind');
    my %per;
    $server->start(limit => 120, before => [ 'valgrind', '--tool=callgrind', '--dump-instr=no', '--collect-atstart=no',
        '--toggle-collect=ap_read_request', '--toggle-collect=ap_process_request', "--callgrind-out-file=$dir/out" ]);
    my $paths = $prepare->($server);
    my $dump = 0;
    for my $path (sort keys %$paths) {
        $server->ask(GET => $path, %{ $paths->{$path} }) for 1 .. 3;
        run_quietly('callgrind_control', '--zero', $server->pid);
        for (1 .. $count) {
            my $reply = $server->ask(GET => $path, %{ $paths->{$path} });
            $reply->{status} == 200 or die "$path: $reply->{status}\n";
        }
        run_quietly('callgrind_control', "--dump=$path", $server->pid);
        $dump++;
        my ($total) = slurp("$dir/out.$dump") =~ /^(?:summary|totals): (\d+)/m or die "callgrind wrote nothing\n";
        $per{$path} = $total / $count;
    }
    $server->stop;
    return \%per;
}

1;
