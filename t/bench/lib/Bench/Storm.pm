# Logins: how many a second, against what argon2id alone does on the same cores; and what a storm of them costs others.
package Bench::Storm;
use strict;
use warnings;
use Account::Process qw($ROOT temp_dir slurp spew wait_until);
use Bench::Checks;
use Bench::Httpd;
use Bench::Measure qw(wrk median run_quietly cores);
use Time::HiRes qw(time sleep);

# The module's default.
use constant PARAMETERS => (19456, 2, 1);

sub raw_program {
    my $dir = temp_dir('argon2');
    run_quietly('gcc', '-O2', '-o', "$dir/argon2", "$ROOT/t/bench/argon2.c", '-largon2', '-lpthread');
    return "$dir/argon2";
}

sub prepared {
    my ($people) = @_;
    my $server = Bench::Httpd->new(account => 'sqlite3')->start;
    spew($server->dir . '/htdocs/x.json', 'x' x 230);
    my $cookie = $server->sign_in('anna');
    $server->register("p$_") for 1 .. $people;
    return ($server, $cookie, [ map { "username=p$_&password=Sesame-1-x" } 1 .. $people ]);
}

# {keep, back (argon2id alone; see argon2.c), logins: a second; ratio, back_ratio: of logins to them}: medians of the rounds
sub rate {
    my (%opt) = @_;
    my ($server, undef, $bodies) = prepared($opt{people});
    my $program = raw_program();
    my %got;
    for my $round (1 .. $opt{rounds}) {
        for my $kind ($round % 2 ? qw(keep logins back) : qw(back logins keep)) {
            push @{ $got{$kind} }, $kind ne 'logins'
                ? run_quietly($program, PARAMETERS, cores(), $opt{seconds}, $kind) + 0
                : wrk({ port => $server->port, path => '/user/login.do', bodies => $bodies }, seconds => $opt{seconds}, connections => 2 * cores(), lenient => 1)->{rate};
        }
    }
    $server->stop;
    my $ratio = sub { my ($to) = @_; return median(map { $got{logins}[$_] / $got{$to}[$_] } 0 .. $opt{rounds} - 1) };
    return { (map { $_ => median(@{ $got{$_} }) } qw(keep back logins)), ratio => $ratio->('keep'), back_ratio => $ratio->('back') };
}

# Requests a second of each visitor.
use constant PACE => 200;

# What others feel meanwhile: {static, check => {p50, p99 (microseconds)}}. They come at a pace that leaves the cores
# idle most of the time: where they are never idle, what is measured is how the kernel shares them out.
sub begin_visitors {
    my ($server, $cookie, $seconds) = @_;
    my %path = (static => '/x.json', check => '/user/get_user_info.do');
    my %run;
    for (keys %path) {
        my $out = temp_dir('visitor') . '/out';
        $run{$_} = { out => $out, process => Account::Process->spawn(command => [ $^X, "$ROOT/t/bench/visitor", $server->port, $seconds, PACE, $path{$_}, $cookie ],
            output => $out, limit => $seconds + 60) };
    }
    return \%run;
}

sub end_visitors {
    my ($run) = @_;
    my %felt;
    for (keys %$run) {
        $run->{$_}{process}->wait_for(90);
        my %got = slurp($run->{$_}{out}) =~ /(\w+)=(\d+)/g;
        $got{asked} && !$got{failed} or die "a visitor of the $_: " . slurp($run->{$_}{out}) . "\n";
        $felt{$_} = \%got;
    }
    return \%felt;
}

sub felt { return end_visitors(begin_visitors(@_)) }

# As felt, while a process a core does nothing but count, at the priority that password hashes have: what the kernel
# makes of that alone.
sub felt_beside_counting {
    my ($server, $cookie, $seconds) = @_;
    my @counting = map { Account::Process->spawn(command => [ 'nice', '-n', 19, $^X, '-e', '1 while 1' ], output => temp_dir('count') . '/out', limit => $seconds + 60) } 1 .. cores();
    my $felt = felt($server, $cookie, $seconds);
    $_->signal('KILL') for @counting;
    $_->wait_for(10)   for @counting;
    return $felt;
}

# The crowd stands for other machines: it is to take as little of this one as it can.
sub begin_crowd {
    my ($server, $file, %opt) = @_;
    return Account::Process->spawn(command => [ 'nice', '-n', 19, $^X, "$ROOT/t/bench/crowd", $server->port, $opt{clients}, $opt{seconds}, $file ],
        output => $server->dir . '/crowd', limit => $opt{seconds} + 60);
}

sub end_crowd {
    my ($server, $crowd) = @_;
    $crowd->wait_for(60);
    my %got = slurp($server->dir . '/crowd') =~ /(\w+)=(\d+)/g;
    $got{done} or die 'the crowd: ' . slurp($server->dir . '/crowd') . slurp($server->dir . '/logs/error_log') . "\n";
    return \%got;
}

# All children: KiB, and how many they are; the most of each until end, while the crowd is there.
sub watch {
    my ($server, $got, $crowd, $end) = @_;
    while (time < $end && $crowd->running) {
        my @children = $server->child_pids;
        my $now = $server->pss(@children);
        ($got->{peak}, $got->{children}{peak}) = ($now, scalar @children) if $now > $got->{peak};
        sleep 0.2;
    }
}

sub begin_memory {
    my ($server) = @_;
    my @children = $server->child_pids;
    my $now = $server->pss(@children);
    return (idle => $now, peak => $now, children => { map { $_ => scalar @children } qw(idle peak) });
}

sub end_memory {
    my ($server, $got, $after) = @_;
    sleep $after;
    my @children = $server->child_pids;
    $got->{after} = $server->pss(@children);
    $got->{children}{after} = @children;
}

# The same crowd before a httpd without mod_account, whose handler lets everybody in at once.
sub plain_memory {
    my ($file, %opt) = @_;
    my $server = Bench::Checks::plain('{"status":0}');
    $server->{conf} =~ s{<Location /null>}{<Location /user/login.do>};
    $server->start;
    my %got = begin_memory($server);
    my $crowd = begin_crowd($server, $file, clients => $opt{clients}, seconds => 4);
    watch($server, \%got, $crowd, time + 4);
    end_crowd($server, $crowd);
    end_memory($server, \%got, $opt{after});
    $server->stop;
    return \%got;
}

# {idle, peak, after (KiB, all children), plain => the same without mod_account, quiet, counting and storm => {static,
# check => {p50, p99}}, crowd => {done, refused, failed, p50, p99}}
sub storm {
    my (%opt) = @_;
    my ($server, $cookie, $bodies) = prepared($opt{people});
    my $file = spew($server->dir . '/bodies', join '', map { "$_\n" } @$bodies);
    my %got = (clients => $opt{clients}, seconds => $opt{seconds}, wait => $opt{after}, pace => PACE, plain => plain_memory($file, %opt));
    felt($server, $cookie, 1);
    $got{quiet} = felt($server, $cookie, $opt{seconds});
    $got{counting} = felt_beside_counting($server, $cookie, $opt{seconds});
    sleep 1;
    %got = (%got, begin_memory($server));
    my $begun = time;
    my $crowd = begin_crowd($server, $file, clients => $opt{clients}, seconds => $opt{seconds} + 4);
    watch($server, \%got, $crowd, $begun + 2);
    my $visitors = begin_visitors($server, $cookie, $opt{seconds});
    watch($server, \%got, $crowd, $begun + 2 + $opt{seconds});
    $got{storm} = end_visitors($visitors);
    $got{crowd} = end_crowd($server, $crowd);
    end_memory($server, \%got, $opt{after});
    $server->stop;
    return \%got;
}

1;
