# The database is there but says nothing (kill -STOP): 503 within bounds, the site goes on, and all heals by itself.
# matrix: once
# alone
#
# Both MPMs with MariaDB, whatever the matrix says. ACCOUNT_LONG=1: frozen for 60 seconds rather than 20.
use lib 't/lib';
use Account::Race qw(race background);
use Account::Test;
use List::Util qw(max);
use Time::HiRes qw(time sleep);

my $FROZEN = $ENV{ACCOUNT_LONG} ? 60 : 20;
my $PATIENCE = 3;      # seconds until an account request is answered
my $STATIC = 1;        # and a static file
my $HEALED = 5;        # after SIGCONT
my $STOPPED = 5;       # to stop or restart httpd

my $password = canary('Sesame-frozen-1');
my $unavailable = '{"status":1,"msg":"服务端异常"}';

sub is_unavailable {
    my ($r) = @_;
    return $r->{status} == 503 && $r->{text} eq $unavailable && ($r->{headers}{'retry-after'} || [''])->[0] =~ /\A[1-9]\d*\z/
        && !$r->{headers}{'set-cookie'};
}

sub short { my ($r) = @_; return join ' ', $r->{status}, $r->{error} // substr $r->{text}, 0, 80 }

my $number = 0;

# One request of each kind that needs the database.
sub requests {
    my ($jar) = @_;
    my $name = 'frozen-' . ++$number;
    return (
        [ GET => '/user/get_user_info.do', cookie => $jar ],
        [ POST => '/user/login.do', form => { username => 'steady', password => $password } ],
        [ POST => '/user/register.do', form => { username => $name, password => $password, email => "$name\@example.com" } ],
        [ POST => '/user/update_information.do', cookie => $jar, form => { phone => $number } ],
        [ POST => '/user/check_valid.do', form => { str => $name, type => 'username' } ],
    );
}

sub all_refused {
    my ($what, @replies) = @_;
    my @other = grep { !is_unavailable($_) } @replies;
    my $slowest = max(map { $_->{seconds} } @replies);
    ok(!@other, "$what: 503 to all") or diag(join "\n", map { short($_) } @other);
    cmp_ok($slowest, '<', $PATIENCE, "$what: within $PATIENCE s");
    return $slowest;
}

# Fetches a static file until the time is over; how long the slowest took, undef if one failed.
sub statics {
    my ($server, $until) = @_;
    my $slowest = 0;
    while (time < $until) {
        my $r = $server->get('/static.txt', timeout => 5);
        return undef if $r->{status} != 200;
        $slowest = max($slowest, $r->{seconds});
        sleep 0.05;
    }
    return $slowest;
}

sub works {
    my ($server, $jar) = @_;
    for (race($server->port, [ (requests($jar)) x 2 ], pause => 0)) {
        return 0 if $_->{status} != 200;
    }
    return 1;
}

# The time until all is normal after SIGCONT.
sub thaw {
    my ($server, $jar, $what) = @_;
    my $start = time;
    $server->{mariadb}->sigcont;
    ok(wait_until($HEALED, sub { works($server, $jar) }), "$what: all is normal within $HEALED s");
    my $healed = time - $start;
    is($server->get('/user/get_user_info.do', cookie => $jar)->{json}{data}{username}, 'steady', "$what: the session lives");
    return $healed;
}

# A small server: few connections, few workers.
my %conf = (
    event => "StartServers 1\nServerLimit 3\nThreadsPerChild 32\nMinSpareThreads 1\nMaxSpareThreads 32\nMaxRequestWorkers 32\n"
        . "AccountDatabaseConnections 2\n",
    prefork => "StartServers 48\nMinSpareServers 4\nMaxSpareServers 48\nMaxRequestWorkers 48\n",
);

sub frozen_while_it_runs {
    my ($server, $mpm, $jar) = @_;
    ok(works($server, $jar), "$mpm: works") for 1 .. 2;      # so there are idle connections
    my $until = time + $FROZEN;
    my %figure;
    my $wait = background(1, sub { statics($server, $until) }, $FROZEN + 30);

    # In the middle of what runs, all at once.
    my $middle = background(4, sub { my @seen; while (time < $until - $FROZEN + 4) {
        push @seen, map { { %$_, headers => { %{ $_->{headers} } } } } $server->get('/user/get_user_info.do', cookie => $jar) }
        return \@seen });
    sleep 0.2;
    my $frozen = time;
    $server->{mariadb}->sigstop;
    sleep 0.1;
    $figure{'20 at once'} = all_refused("$mpm: 20 at once right after the freeze",
        race($server->port, [ map { requests($jar) } 1 .. 4 ], pause => 0));
    my @seen = map { @$_ } $middle->();
    my @strange = grep { !is_unavailable($_) && !($_->{status} == 200 && $_->{json}{data}{username} eq 'steady') } @seen;
    ok(!@strange, "$mpm: who is in the middle: right, or 503") or diag(join "\n", map { short($_) } @strange);
    cmp_ok($figure{middle} = max(map { $_->{seconds} } @seen), '<', $PATIENCE, "$mpm: who is in the middle: within $PATIENCE s");

    for my $round (1 .. ($mpm eq 'event' ? 3 : 1)) {
        $figure{"one by one $round"} = all_refused("$mpm: one by one, $round",
            map { my ($method, $path, %opt) = @$_; $server->request($method, $path, %opt) } requests($jar));
    }
    $figure{'20 later'} = all_refused("$mpm: 20 at once later", race($server->port, [ map { requests($jar) } 1 .. 4 ]));
    while (time < $until - 3) {
        my ($method, $path, %opt) = @{ (requests($jar))[ $number % 5 ] };
        my $r = $server->request($method, $path, %opt);
        is_unavailable($r) && $r->{seconds} < $PATIENCE or fail("$mpm: later: " . short($r) . " after $r->{seconds} s");
        sleep 0.2;
    }
    $figure{'20 at the end'} = all_refused("$mpm: 20 at once at the end", race($server->port, [ map { requests($jar) } 1 .. 4 ]));
    my ($static) = $wait->();
    ok(defined $static && $static < $STATIC, "$mpm: a static file within $STATIC s all the time");
    cmp_ok(time - $frozen, '>', $FROZEN - 2, "$mpm: for $FROZEN s");
    $figure{static} = $static // 'failed';
    $figure{healed} = thaw($server, $jar, $mpm);
    diag("$mpm: " . join ', ', map { sprintf '%s %.2f s', $_, $figure{$_} } sort keys %figure);
}

# Runs it and says how long it took.
sub timed {
    my ($what, $limit, $sub) = @_;
    my $start = time;
    my $ok = eval { $sub->(); 1 };
    my $took = time - $start;
    ok($ok, $what) or diag($@);
    cmp_ok($took, '<', $limit, "$what: within $limit s");
    return $took;
}

sub ask_one_of_each {
    my ($server, $jar, $what) = @_;
    return all_refused($what, race($server->port, [ requests($jar) ], pause => 0));
}

sub stopped_and_started {
    my ($server, $mpm, $jar) = @_;
    my %figure;
    $server->{mariadb}->sigstop;
    my $pending = background(4, sub { $server->get('/user/get_user_info.do', cookie => $jar, timeout => 6)->{status} });
    sleep 0.2;
    $figure{graceful} = timed("$mpm: a graceful restart while frozen", $STOPPED, sub { $server->restart });
    my @pending = $pending->();
    ok(!(grep { $_ != 503 } @pending), "$mpm: who waited gets 503") or diag("@pending");
    $figure{'503 after it'} = ask_one_of_each($server, $jar, "$mpm: after the graceful restart");
    $figure{hard} = timed("$mpm: a hard restart while frozen", $STOPPED, sub { $server->restart('hard') });
    $figure{'503 after that'} = ask_one_of_each($server, $jar, "$mpm: after the hard restart");
    $figure{stop} = timed("$mpm: a stop while frozen", $STOPPED, sub { $server->stop });
    $figure{start} = timed("$mpm: a start while frozen", $STOPPED, sub { $server->start });
    $figure{'503 after start'} = ask_one_of_each($server, $jar, "$mpm: started while frozen");
    is($server->get('/static.txt')->{status}, 200, "$mpm: started while frozen: a static file");
    $figure{healed} = thaw($server, $jar, "$mpm: started while frozen");
    diag("$mpm: " . join ', ', map { sprintf '%s %.2f s', $_, $figure{$_} } sort keys %figure);
}

for my $mpm (qw(event prefork)) {
    my $mariadb = Account::MariaDB->new->start;
    my $server = Account::Server->new(sql_counts => 1, mpm => $mpm, db => 'mysql', mariadb => $mariadb, loglevel => 'info',
        conf => $conf{$mpm})->start;
    my $jar = Account::Jar->new;
    $server->post('/user/register.do', form => { username => 'steady', password => $password, email => 'steady@example.com' });
    $server->post('/user/login.do', form => { username => 'steady', password => $password }, cookie => $jar);
    frozen_while_it_runs($server, $mpm, $jar);
    stopped_and_started($server, $mpm, $jar);
    my $orphans = $server->sql('SELECT COUNT(*) FROM account a WHERE (SELECT COUNT(*) FROM account_identifier i WHERE i.account = a.id) <> 2');
    is($orphans, 0, "$mpm: nothing half-made");
    $server->stop;
    $mariadb->stop;
}
done();
