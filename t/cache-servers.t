# AccountCache memcache:HOST:PORT and redis:HOST:PORT, with real ones: who can write there can't make a session, and a server
# that is gone costs nobody his answer.
# matrix: once
use lib 't/lib';
use Account::Test;
use IO::Socket::INET;
use Time::HiRes qw(sleep time);

my $password = canary('Sesame-cache-servers');

sub metric { my ($server, $name) = @_; return $server->get('/account-status?auto')->{text} =~ /^\Q$name\E(?:\{.*?\})? (\d+)/m ? $1 : -1 }

sub info {
    my ($server, $jar, $timeout) = @_;
    my $r = $server->get('/user/get_user_info.do', cookie => $jar, timeout => $timeout // 8);
    return $r->{status} != 200 ? "status $r->{status}" : $r->{text} =~ /"username":"(\w+)"/ ? $1 : 'out';
}

sub spawn {
    my (@command) = @_;
    my $program = (grep { -x } map { "$_/$command[0]" } qw(/usr/bin /usr/local/bin /opt/homebrew/bin))[0] or die "no $command[0]";
    return Account::Process->spawn(command => [ $program, @command[1 .. $#command] ], output => temp_dir('cache-server') . '/log');
}

my %start = (
    memcache => sub { my ($port) = @_; return spawn('memcached', '-l', '127.0.0.1', '-p', $port, '-U', 0, '-m', 16, $> ? () : (-u => 'nobody')) },
    redis => sub {
        my ($port) = @_;
        my $dir = temp_dir('redis');
        return spawn('redis-server', '--bind', '127.0.0.1', '--port', $port, '--save', '', '--appendonly', 'no', '--dir', $dir);
    },
);

# One command, and what it says; many lines for memcached's dump.
sub talk {
    my ($port, $bytes, $end) = @_;
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port, Timeout => 5) or return;
    syswrite $socket, $bytes;
    my $got = '';
    while ($got !~ $end) { sysread $socket, $got, 65536, length $got or last }
    return $got;
}

# {key => value} of all that is there; put: the reverse.
my %dump = (
    memcache => sub {
        my ($port) = @_;
        my @keys = talk($port, "lru_crawler metadump all\r\n", qr/^END\r?\n/m) =~ /^key=(\S+)/mg;
        s/%([0-9A-Fa-f]{2})/chr hex $1/ge for @keys;
        return { map { my $got = talk($port, "get $_\r\n", qr/^END\r\n/m); $got =~ /^VALUE \S+ \d+ (\d+)\r\n/m ? ($_ => substr $', 0, $1) : () } @keys };
    },
    redis => sub {
        my ($port) = @_;
        my @keys = talk($port, "KEYS *\r\nPING\r\n", qr/^\+PONG/m) =~ /^\$\d+\r\n(\S+)\r\n/mg;
        return { map { my $got = talk($port, "GET $_\r\nPING\r\n", qr/^\+PONG/m); $got =~ /^\$(\d+)\r\n/ ? ($_ => substr $', 0, $1) : () } @keys };
    },
);
my %put = (
    memcache => sub { my ($port, $key, $value) = @_; return talk($port, "set $key 0 100 " . length($value) . "\r\n$value\r\n", qr/\r\n/) },
    redis => sub { my ($port, $key, $value) = @_; return talk($port, "SET $key $value\r\n", qr/\r\n/) },
);

for my $kind (qw(memcache redis)) {
    my $port = Account::Process::free_port();
    my $process = $start{$kind}->($port);
    ok(wait_until(10, sub { IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port) }), "$kind: listens");
    my $server = Account::Server->new(modules => ["socache_$kind"], loglevel => 'info', db => 'mysql',
        conf => "AccountCache $kind:127.0.0.1:$port\n<Location \"/account-status\">\nSetHandler account-status\n</Location>\n", allow => qr/socache_$kind/)->start;
    my %jar;
    for my $name (qw(anna bert)) {
        $server->post('/user/register.do', form => { username => $name, password => $password, email => "$name\@example.com" });
        $server->post('/user/login.do', form => { username => $name, password => $password }, cookie => $jar{$name} = Account::Jar->new);
        is(info($server, $jar{$name}), $name, "$kind: $name is signed in");
    }
    my $hits = metric($server, 'account_cache_hits_total');
    is(join(' ', map { info($server, $jar{anna}) } 1 .. 20), join(' ', ('anna') x 20), "$kind: stays so");
    cmp_ok(metric($server, 'account_cache_hits_total') - $hits, '>=', 20, "$kind: which it says");

    my $all;    # memcached's list lags behind
    wait_until(5, sub { keys %{ $all = $dump{$kind}->($port) } >= 2 });
    is(scalar keys %$all, 2, "$kind: has both");
    my $text = join "\n", %$all;
    my @secrets = ($password, map { $jar{$_}->get('mmall_login_token') } qw(anna bert));
    is_deeply([ grep { index($text, $_) >= 0 } @secrets, 'anna', 'bert', 'example.com', 'normal_user' ], [], "$kind: nothing can be read there");

    # who can write there
    my ($one, $two) = sort keys %$all;
    my $try = sub {
        my ($name, $first, $second) = @_;
        $put{$kind}->($port, $one, $first);
        $put{$kind}->($port, $two, $second);
        is(join(' ', map { info($server, $jar{$_}) } qw(anna bert)), 'anna bert', "$kind: $name: nobody is somebody else");
    };
    $try->('swapped', $all->{$two}, $all->{$one});
    $try->('rubbish', 'x', 'x' x 5000);
    $try->('changed', map { my $value = $all->{$_}; substr($value, -5, 1) =~ tr/A-Za-z0-9/B-ZAb-za1-90/; $value =~ s/(.)(.{4})\z/($1 eq 'A' ? 'B' : 'A') . $2/e; $value } $one, $two);
    my $old = $dump{$kind}->($port);
    $server->get('/user/logout.do', cookie => Account::Jar->new(%{ $jar{anna} }));
    $put{$kind}->($port, $_, $old->{$_}) for keys %$old;
    is(info($server, $jar{anna}), 'out', "$kind: who logged out is out, though the old copy was put back");
    is(info($server, $jar{bert}), 'bert', "$kind: the other is not");

    # another server, with the same key, database and cache, as on another machine
    my $beside = Account::Server->new(modules => ["socache_$kind"], loglevel => 'info', mariadb => $server->{mariadb}, dbname => $server->{dbname}, db => 'mysql',
        conf => "AccountCache $kind:127.0.0.1:$port\nAccountCacheTTL 1s\n<Location \"/account-status\">\nSetHandler account-status\n</Location>\n", allow => qr/socache_$kind/);
    spew("$beside->{dir}/account.key", slurp("$server->{dir}/account.key"), 0600);
    $beside->start;
    is(info($beside, $jar{bert}), 'bert', "$kind: another server");
    my @before = map { metric($_, 'account_cache_hits_total') } $server, $beside;
    is(join(' ', map { info($_, $jar{bert}) } ($beside, $server) x 10), join(' ', ('bert') x 20), "$kind: one after the other");
    my @after = map { metric($_, 'account_cache_hits_total') } $server, $beside;
    cmp_ok($after[$_] - $before[$_], '>=', 9, "$kind: have a copy each") for 0, 1;
    $server->get('/user/logout.do', cookie => Account::Jar->new(%{ $jar{bert} }));
    is(info($server, $jar{bert}), 'out', "$kind: logged out");
    sleep 1.1;
    is(info($beside, $jar{bert}), 'out', "$kind: the other one knows after AccountCacheTTL");
    $server->post('/user/login.do', form => { username => 'bert', password => $password }, cookie => $jar{bert});
    $beside->stop;

    $server->restart('graceful');
    is(join(' ', map { info($server, $jar{bert}) } 1 .. 5), join(' ', ('bert') x 5), "$kind: after a restart");

    # stopped: it takes connections and says nothing
    $process->signal('STOP');
    my @said = map { info($server, $jar{bert}, 1) } 1 .. 24;
    cmp_ok(scalar(grep { $_ eq 'bert' } @said), '>=', 20, "$kind: is frozen: all but those who were asking it, one of each child, have their answers");
    $process->signal('CONT');
    ok(wait_until(30, sub {
        my $before = metric($server, 'account_cache_hits_total');
        info($server, $jar{bert});
        return metric($server, 'account_cache_hits_total') > $before;
    }), "$kind: goes on");

    # gone
    $process->signal('KILL');
    $process->wait_for(10);
    my $slowest = 0;
    for (1 .. 10) {
        my $begun = time;
        is(info($server, $jar{bert}), 'bert', "$kind: is gone, the database answers");
        $slowest = time - $begun if time - $begun > $slowest;
    }
    cmp_ok($slowest, '<', 5, "$kind: soon enough");
    $process = $start{$kind}->($port);
    ok(wait_until(20, sub {
        my $before = metric($server, 'account_cache_hits_total');
        info($server, $jar{bert});
        return metric($server, 'account_cache_hits_total') > $before;
    }), "$kind: it is back");
    $server->stop;
    $process->signal('TERM');
    $process->wait_for(10);
}

for my $case (
    [ 'AccountCache memcache', qr/AccountCache memcache wants an address: memcache:HOST:PORT/ ],
    [ 'AccountCache redis:127.0.0.1:1', qr/line \d+ of \S+: AccountCache: it needs mod_socache_redis: LoadModule/ ],
    [ 'AccountCacheTTL soon', qr/AccountCacheTTL: .*soon.*, or off/ ],
    [ 'AccountCacheGrace -1s', qr/AccountCacheGrace: .*-1s.*, or off/ ],
    [ "<VirtualHost *:1>\nAccountCacheTTL off\n</VirtualHost>", qr/AccountCacheTTL (?:not allowed|cannot occur)/ ],
) {
    my ($conf, $says) = @$case;
    my ($status, $output) = configtest("$conf\n", mounts => "AccountMount /user mmall\n");
    isnt($status, 0, $conf);
    like($output, $says, 'and why');
}
is((configtest("AccountCacheTTL 30s\nAccountCacheGrace off\n", mounts => "AccountMount /user mmall\n"))[0], 0, 'durations, and off');
done();
