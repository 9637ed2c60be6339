# Session checks a second, of ours and of others, interleaved; and the instructions of ours.
package Bench::Checks;
use strict;
use warnings;
use Account::Client;
use Account::MariaDB;
use Account::Process qw($ROOT temp_dir slurp spew);
use Account::Server;
use Bench::Httpd;
use Bench::Measure qw(wrk median spread instructions run_quietly);
use Bench::Peers;
use File::Copy 'copy';

# Cheap: nobody logs in while sessions are checked.
use constant HASH => 'argon2id m=64 t=1 p=1';
use constant SESSION_CHECK => '/user/get_user_info.do';

sub null_module {
    my $dir = temp_dir('null');
    copy("$ROOT/t/bench/mod_bench_null.c", "$dir/mod_bench_null.c");
    run_quietly('sh', '-c', 'cd "$1" && "$2" -c mod_bench_null.c', '-', $dir, $ENV{ACCOUNT_APXS} || 'apxs');
    return "$dir/.libs/mod_bench_null.so";
}

# httpd without mod_account: a handler and a file, both with these bytes.
sub plain {
    my ($bytes, %opt) = @_;
    my $server = Bench::Httpd->new(%opt);
    my $dir = $server->dir;
    spew("$dir/htdocs/x.json", $bytes);
    $server->{conf} = 'LoadModule bench_null_module ' . null_module() . "\nBenchNullFile $dir/htdocs/x.json\n"
        . "<Location /null>\nSetHandler bench-null\n</Location>\n";
    return $server;
}

# One with mod_account, and beside the contract a file that is open and one that is guarded.
sub ours {
    my (%opt) = @_;
    return Bench::Httpd->new(hash => HASH, %opt, conf => "<Location /guarded>\nAuthType Account\nRequire account\n</Location>\n");
}

# Signs in, and puts files of the reply's length beside it: (Cookie, reply).
sub furnish {
    my ($server) = @_;
    my $cookie = $server->sign_in('anna');
    my $reply = $server->ask(GET => SESSION_CHECK, headers => { Cookie => $cookie });
    $reply->{body} =~ /"username":"anna"/ or die "not signed in: $reply->{body}\n";
    spew($server->dir . "/htdocs/$_/x.json", $reply->{body}) for qw(guarded open);
    return ($cookie, $reply->{body});
}

sub place { my ($server, $path, $cookie) = @_; return { server => $server, port => $server->port, path => $path, headers => { Cookie => $cookie } } }

# [key, what it is, how it is made]; made: contestant, or dies with the reason why not.
sub contestants {
    my ($mariadb, $quick) = @_;
    my %server = (sqlite3 => ours(account => 'sqlite3')->start);
    my ($cookie, $bytes) = furnish($server{sqlite3});
    my $plain = plain($bytes)->start;
    my $mysql = sub {
        my $server = ours(account => 'mysql', mariadb => $mariadb, @_)->start;
        return place($server, SESSION_CHECK, (furnish($server))[0]);
    };
    my @all = (
        [ null   => 'a handler that returns the same bytes', sub { return { %{ place($plain, '/null', $cookie) }, wants => qr/\A\Q$bytes\E\z/ } } ],
        [ static => 'a static file of the same bytes',       sub { place($plain, '/x.json', $cookie) } ],
        [ cached => 'mod_account: get_user_info, as it comes', sub { place($server{sqlite3}, SESSION_CHECK, $cookie) } ],
        [ sqlite => 'mod_account: get_user_info, AccountCache off, SQLite', sub {
            my $server = ours(account => 'sqlite3', cache => 'off')->start;
            return place($server, SESSION_CHECK, (furnish($server))[0]);
        } ],
        [ open    => 'mod_account: a static file beside it',                  sub { place($server{sqlite3}, '/open/x.json',    $cookie) } ],
        [ guarded => 'mod_account: a static file behind Require account', sub { place($server{sqlite3}, '/guarded/x.json', $cookie) } ],
    );
    return @all if $quick;
    return (@all,
        [ cached_mysql => 'mod_account: get_user_info, as it comes, MariaDB',      sub { $mysql->() } ],
        [ mysql        => 'mod_account: get_user_info, AccountCache off, MariaDB', sub { $mysql->(cache => 'off') } ],
        [ form_cookie  => 'mod_auth_form, mod_session_cookie, mod_session_crypto', sub { Bench::Peers::auth_form($mariadb, $bytes, 'session_cookie') } ],
        [ form_dbd     => 'mod_auth_form, mod_session_dbd',                        sub { Bench::Peers::auth_form($mariadb, $bytes, 'session_dbd') } ],
        [ django       => 'Django',                                                sub { Bench::Peers::django($mariadb) } ],
        [ better_auth  => 'better-auth',                                           sub { Bench::Peers::better_auth($mariadb) } ],
        [ wordpress    => 'WordPress: REST, users/me',                             sub { Bench::Peers::wordpress($mariadb) } ]);
}

# As it must be answered, so that nobody is praised for errors.
sub probe {
    my ($place) = @_;
    my $reply = Account::Client::request($place->{port}, GET => $place->{path}, headers => $place->{headers}, timeout => 30);
    my $right = $place->{wants} || qr/"username":"anna"/;
    $reply->{status} == 200 && $reply->{body} =~ $right or die "answers $reply->{status} " . substr($reply->{body}, 0, 300) . "\n";
    return length $reply->{body};
}

# Statements of clients since the server started.
sub statements {
    my ($mariadb) = @_;
    my %status = map { split /\t/ } $mariadb->sql("SHOW GLOBAL STATUS WHERE Variable_name IN ('Com_stmt_execute', 'Com_select', 'Com_update')");
    return $status{Com_stmt_execute} // 0;
}

# {order => [keys], of => {key => {name, note, rates => [...], rate, spread, p50, p99, bytes | missing}}, statements}
sub checks {
    my (%opt) = @_;
    my $mariadb = $opt{quick} ? undef : Account::MariaDB->new(options => [ '--innodb-buffer-pool-size=256M', '--innodb-log-file-size=64M' ])->start;
    my (%of, %place, @order);
    for (contestants($mariadb, $opt{quick})) {
        my ($key, $name, $make) = @$_;
        push @order, $key;
        $of{$key} = { name => $name };
        $place{$key} = eval { my $place = $make->(); $of{$key}{bytes} = probe($place); wrk($place, seconds => $opt{quick} ? 1 : 5); $place };
        if ($place{$key}) { $of{$key}{note} = $place{$key}{note} }
        else              { chomp($of{$key}{missing} = $@); $opt{say}->("$name: left out: $of{$key}{missing}") }
    }
    my @there = grep { $place{$_} } @order;
    my ($asked, $counted) = (0, 0);
    for my $round (1 .. $opt{rounds}) {
        my @now = map { $there[ ($_ + $round) % @there ] } 0 .. $#there;
        for my $key (@now) {
            my $before = $key eq 'cached_mysql' ? statements($mariadb) : 0;
            my $got = wrk($place{$key}, seconds => $opt{seconds});
            if ($key eq 'cached_mysql') {
                $counted += statements($mariadb) - $before;
                $asked   += $got->{requests};
            }
            push @{ $of{$key}{$_} }, $got->{$_} for qw(rate p50 p99);
        }
        $opt{say}->("round $round: " . join ', ', map { sprintf '%s %.0f', $_, $of{$_}{rate}[-1] } @there);
    }
    for my $key (@there) {
        probe($place{$key});
        my $one = $of{$key};
        $one->{rates} = $one->{rate};
        @$one{qw(rate spread p50 p99)} = (median(@{ $one->{rates} }), spread(@{ $one->{rates} }), median(@{ $one->{p50} }), median(@{ $one->{p99} }));
    }
    return { order => \@order, of => \%of, statements => $asked ? $counted / $asked : undef };
}

# Round by round, then the median.
sub ratio {
    my ($checks, $key, $to) = @_;
    my ($one, $other) = map { $checks->{of}{$_}{rates} } $key, $to;
    return undef if !$one || !$other;
    return median(map { $one->[$_] / $other->[$_] } 0 .. $#$one);
}

# {name => instructions}
sub counted {
    my (%opt) = @_;
    my %found;
    my @one = (mpm => 'prefork');
    my $mariadb = (grep { $_ eq 'mysql' } @{ $opt{databases} }) ? Account::MariaDB->new->start : undef;
    for my $db (@{ $opt{databases} }) {
        for my $cache ('', 'off') {
            my $server = ours(@one, account => $db, cache => $cache, mariadb => $mariadb);
            my $count = instructions($server, sub {
                my ($cookie) = furnish($server);
                return { map { $_ => { headers => { Cookie => $cookie } } } SESSION_CHECK, $db eq 'sqlite3' ? qw(/guarded/x.json /open/x.json) : () };
            }, $opt{count});
            my $with = $cache ? 'AccountCache off' : 'as it comes';
            $found{"get_user_info, $with, $db"} = $count->{ +SESSION_CHECK };
            $found{"guarded file, $with, $db"} = $count->{'/guarded/x.json'} if $count->{'/guarded/x.json'};
            $found{'open file beside mod_account'} = $count->{'/open/x.json'} if !$cache && $count->{'/open/x.json'};
        }
    }
    my $plain = plain('{' . 'x' x 228 . '}', @one);
    my $count = instructions($plain, sub { return { map { $_ => { headers => { Cookie => 'mmall_login_token=' . 'a' x 26 } } } qw(/null /x.json) } }, $opt{count});
    return { %found, 'null handler' => $count->{'/null'}, 'static file' => $count->{'/x.json'} };
}

1;
