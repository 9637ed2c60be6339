# Few accounts against many, one host against many.
package Bench::Scale;
use strict;
use warnings;
use Account::MariaDB;
use Bench::Fill;
use Bench::Httpd;
use Bench::Measure qw(wrk median run_quietly);
use List::Util 'shuffle';
use Time::HiRes 'time';

# A cheap hash, so that it is the database that is compared and not argon2id.
use constant HASH => 'argon2id m=64 t=1 p=1';
# So many of the accounts are asked for, of few and of many the same number: what was asked before comes out of a cache.
use constant TRIED => 10000;

sub filled_server {
    my ($db, $count, $say) = @_;
    my $begun = time;
    my %more = $db eq 'mysql' ? (mariadb => Account::MariaDB->new(options => [ '--innodb-buffer-pool-size=1G', '--innodb-log-file-size=512M' ])->start) : ();
    my $server = Bench::Httpd->new(account => $db, hash => HASH, %more)->start;
    $server->sign_in('first');
    $server->stop;
    my $from = Bench::Fill::fill($server, $count, 'first');
    $server->start;
    $say->(sprintf '%s: %d accounts and sessions in %.0f s', $db, $count, time - $begun);
    my @some = (shuffle($from .. $from + $count - 1))[ 0 .. ($count < TRIED ? $count : TRIED) - 1 ];
    my $cookie = 'mmall_login_token=' . Bench::Fill::token($some[0]);
    my $reply = $server->ask(GET => '/user/get_user_info.do', headers => { Cookie => $cookie });
    my $name = Bench::Fill::name($some[0]);
    $reply->{body} =~ /"username":"$name"/ or die "a filled session is none: $reply->{body}\n";
    $server->{asks} = {
        check => { path => '/user/get_user_info.do', cookies => [ map { 'mmall_login_token=' . Bench::Fill::token($_) } @some ] },
        login => { path => '/user/login.do', bodies => [ map { 'username=' . Bench::Fill::name($_) . '&password=Sesame-1-x' } @some ] },
    };
    return $server;
}

# Each round has names of its own.
my $registered = 0;
sub ask_of {
    my ($server, $what, $seconds) = @_;
    my %ask = (port => $server->port, %{ $server->{asks}{$what} || {} });
    if ($what eq 'register') {
        $ask{path} = '/user/register.do';
        $ask{bodies} = [ map { my $n = ++$registered; "username=new$n&password=Sesame-1-x&email=new$n\@example.com" } 1 .. 3000 * $seconds ];
    }
    return \%ask;
}

# {db => {what => {few, many (p50 in microseconds, each the median of the rounds), ratio}}}
sub accounts {
    my (%opt) = @_;
    my %result;
    for my $db (@{ $opt{databases} }) {
        my %server = (few => filled_server($db, $opt{few}, $opt{say}), many => filled_server($db, $opt{many}, $opt{say}));
        my %p50;
        for my $round (1 .. $opt{rounds}) {
            for my $what (qw(check login register)) {
                for my $size ($round % 2 ? qw(few many) : qw(many few)) {
                    push @{ $p50{$what}{$size} }, wrk(ask_of($server{$size}, $what, $opt{seconds}), seconds => $opt{seconds}, connections => 1)->{p50};
                }
            }
        }
        for my $what (keys %p50) {
            my ($few, $many) = map { median(@{ $p50{$what}{$_} }) } qw(few many);
            $result{$db}{$what} = { few => $few, many => $many,
                ratio => median(map { $p50{$what}{many}[$_] / $p50{$what}{few}[$_] } 0 .. $opt{rounds} - 1) };
        }
        for (values %server) {
            $_->stop;
            $_->{mariadb}->stop if $_->{mariadb};
        }
    }
    return \%result;
}

sub host_conf {
    my ($count, $mounts) = @_;
    return join '', map { "<VirtualHost 127.0.0.1:\@PORT\@>\nServerName h$_.example\n$mounts</VirtualHost>\n" } 1 .. $count;
}

# {hosts, bare and mounted => {seconds, kib}}: the same hosts with and without the contracts.
sub hosts {
    my (%opt) = @_;
    my $messages = qq(AccountMail "file:\@DIR\@/messages" "bench <bench\@example.com>"\nAccountSms "file:\@DIR\@/messages"\n)
        . "AccountLink activate http://127.0.0.1/activate\nAccountLink reset http://127.0.0.1/reset\n";
    my $mounts = join '', map { "AccountMount $_->[0] $_->[1]\n" } Bench::Httpd::CONTRACTS();
    my %got;
    for my $round (1 .. $opt{rounds}) {
        for my $kind ($round % 2 ? qw(bare mounted) : qw(mounted bare)) {
            my $server = Bench::Httpd->new(account => 'sqlite3', mounts => '', hash => HASH,
                conf => $messages . host_conf($opt{hosts}, $kind eq 'mounted' ? $mounts : ''));
            my $begun = time;
            $server->start(limit => 300);
            push @{ $got{$kind}{seconds} }, time - $begun;
            if ($kind eq 'mounted') {
                my $reply = $server->ask(GET => '/user/get_user_info.do', headers => { Host => "h$opt{hosts}.example" });
                $reply->{body} =~ /"status":/ or die "the last host does not answer: $reply->{status}\n";
            }
            push @{ $got{$kind}{kib} }, $server->pss($server->pid, $server->child_pids);
            $server->stop;
        }
    }
    for my $kind (keys %got) { $got{$kind}{$_} = median(@{ $got{$kind}{$_} }) for qw(seconds kib) }
    return { hosts => $opt{hosts}, %got, more => $got{mounted}{seconds} - $got{bare}{seconds},
        each => ($got{mounted}{kib} - $got{bare}{kib}) / $opt{hosts} };
}

1;
