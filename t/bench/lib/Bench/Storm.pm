# Logins: how many a second, against what argon2id alone does on the same cores; and what a storm of them costs others.
package Bench::Storm;
use strict;
use warnings;
use Account::Process qw($ROOT temp_dir slurp spew wait_until);
use Bench::Httpd;
use Bench::Measure qw(wrk begin_wrk end_wrk median run_quietly cores);
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

# {raw, logins: a second; ratio}: medians of the rounds
sub rate {
    my (%opt) = @_;
    my ($server, undef, $bodies) = prepared($opt{people});
    my $program = raw_program();
    my %got;
    for my $round (1 .. $opt{rounds}) {
        for my $kind ($round % 2 ? qw(raw logins) : qw(logins raw)) {
            push @{ $got{$kind} }, $kind eq 'raw'
                ? run_quietly($program, PARAMETERS, cores(), $opt{seconds}) + 0
                : wrk({ port => $server->port, path => '/user/login.do', bodies => $bodies }, seconds => $opt{seconds}, connections => 2 * cores(), lenient => 1)->{rate};
        }
    }
    $server->stop;
    return { raw => median(@{ $got{raw} }), logins => median(@{ $got{logins} }),
        ratio => median(map { $got{logins}[$_] / $got{raw}[$_] } 0 .. $opt{rounds} - 1) };
}

# What others feel: microseconds, 99 of 100 take less.
sub felt {
    my ($server, $cookie, $seconds) = @_;
    my %ask = (static => { port => $server->port, path => '/x.json' },
        check => { port => $server->port, path => '/user/get_user_info.do', headers => { Cookie => $cookie } });
    my %run = map { $_ => begin_wrk($ask{$_}, seconds => $seconds, connections => 2) } keys %ask;
    return { map { $_ => end_wrk($run{$_}, lenient => 1) } keys %run };
}

# {idle, peak, after (KiB, all children), quiet and storm => {static, check => {p99 ..}}, crowd => {done, refused, failed, p50, p99}}
sub storm {
    my (%opt) = @_;
    my ($server, $cookie, $bodies) = prepared($opt{people});
    my $file = spew($server->dir . '/bodies', join '', map { "$_\n" } @$bodies);
    my %got = (clients => $opt{clients});
    felt($server, $cookie, 1);
    $got{quiet} = felt($server, $cookie, $opt{seconds});
    sleep 1;
    $got{idle} = $got{peak} = $server->pss($server->child_pids);
    $got{children} = { map { $_ => scalar(() = $server->child_pids) } qw(idle peak) };
    my $crowd = Account::Process->spawn(command => [ $^X, "$ROOT/t/bench/crowd", $server->port, $opt{clients}, $opt{seconds} + 4, $file ],
        output => $server->dir . '/crowd', limit => $opt{seconds} + 60);
    my $begun = time;
    my %ask = (static => { port => $server->port, path => '/x.json' },
        check => { port => $server->port, path => '/user/get_user_info.do', headers => { Cookie => $cookie } });
    my $watch = sub {
        my ($end) = @_;
        while (time < $end && $crowd->running) {
            my @children = $server->child_pids;
            my $now = $server->pss(@children);
            ($got{peak}, $got{children}{peak}) = ($now, scalar @children) if $now > $got{peak};
            sleep 0.2;
        }
    };
    $watch->($begun + 2);
    my %run = map { $_ => begin_wrk($ask{$_}, seconds => $opt{seconds}, connections => 2) } keys %ask;
    $watch->($begun + 2 + $opt{seconds});
    $got{storm} = { map { $_ => end_wrk($run{$_}, lenient => 1) } keys %run };
    $crowd->wait_for(60);
    $got{crowd} = { slurp($server->dir . '/crowd') =~ /(\w+)=(\d+)/g };
    $got{crowd}{done} or die 'the crowd: ' . slurp($server->dir . '/crowd') . slurp($server->dir . '/logs/error_log') . "\n";
    sleep $opt{after};
    $got{after} = $server->pss($server->child_pids);
    $got{children}{after} = () = $server->child_pids;
    @got{qw(seconds wait)} = @opt{qw(seconds after)};
    $server->stop;
    return \%got;
}

1;
