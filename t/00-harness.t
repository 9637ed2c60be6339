# The test library tested: what it promises must hold before any other test can be believed.
# matrix: once
use lib 't/lib';
use Account::Test;
use Time::HiRes qw(time sleep);

my @plain = (account => 0, db => 'none');

for my $mpm (qw(event prefork)) {
    my $server = Account::Server->new(@plain, mpm => $mpm, files => { 'htdocs/密.txt' => "密码\@PORT@\n" })->start;
    my $r = $server->get('/static.txt', query => { a => 'b c' });
    is($r->{status}, 200, "$mpm: a static file");
    is($r->{body}, "a static file\n", "$mpm: its body");
    like($server->access_log, qr{"GET /static.txt\?a=b%20c HTTP/1.1"}, "$mpm: the access log");
    is($server->get('/' . Account::Client::escape('密.txt'))->{text}, '密码' . $server->port . "\n", "$mpm: UTF-8");
    like($server->raw("NONSENSE\r\n\r\n"), qr/400 Bad Request/, "$mpm: raw bytes");
    cmp_ok(scalar(() = $server->child_pids), '>=', 2, "$mpm: several children");

    my $pid = $server->pid;
    my %old = map { $_ => 1 } $server->child_pids;
    $server->restart;
    $server->restart('hard');
    is($server->pid, $pid, "$mpm: restarts keep the parent");
    ok(!(grep { $old{$_} } $server->child_pids), "$mpm: and change the children");
    $server->stop;
    ok(!kill(0, $pid), "$mpm: stops");
    my @children = $server->start->child_pids;
    $server->kill9;
    ok(wait_until(5, sub { !kill 0, @children }), "$mpm: a crash takes the children along");
    is($server->start->get('/static.txt')->{status}, 200, "$mpm: and it starts again on the same port");
    my @answers = concurrent(4, sub { $_[0] + $server->get('/static.txt')->{status} });
    is_deeply(\@answers, [ 200 .. 203 ], "$mpm: concurrent");
}

# before a hard stop: whoever still runs may do so
{
    my $server = Account::Server->new(@plain);
    my @child;
    no warnings 'redefine';
    local *Account::Server::child_pids = sub { @child };
    my $settled = sub {
        my ($seconds) = @_;
        my $until = time + $seconds;
        @child = fork // die "fork: $!\n";
        if (!$child[0]) {
            Account::Process::forget();
            while (time < $until) { 1 }
            sleep 30;
            POSIX::_exit(0);
        }
        $server->settle;
        my $late = time - $until;
        kill KILL => @child;
        waitpid $_, 0 for @child;
        return $late;
    };
    my $late = $settled->(1);
    ok($late >= 0 && $late < 1, 'settle: waits until nobody runs') or diag("$late s later");
    $late = $settled->(20);
    ok($late < -15, 'settle: not for ever') or diag("$late s later");
}

ok(!eval { concurrent(2, sub { die "no luck\n" if $_[0] }); 1 }, 'a death in a process is one of the test');
like($@, qr/process 1: no luck/, 'with its text');

my ($status, $output) = configtest('NoSuchDirective on', @plain);
is($status, 1, 'configtest: an error');
like($output, qr/httpd\.conf:?.*NoSuchDirective/s, 'configtest: its text');
is((configtest('', @plain))[0], 0, 'configtest: none');
ok(!eval { Account::Server->new(@plain, conf => 'NoSuchDirective on')->start }, 'a server that does not start');
like($@, qr/NoSuchDirective/, 'says why');

# replies and cookies
my $r = Account::Client::parse('GET', "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"
    . "Set-Cookie: t=abc; Path=/; HttpOnly\r\nSet-Cookie: u=1; Max-Age=0\r\n"
    . "Transfer-Encoding: chunked\r\n\r\n3\r\n{\"a\r\n4;x\r\n\":1}\r\n0\r\n\r\n");
is_deeply($r->{json}, { a => 1 }, 'chunks');
my %cookies = (t => { value => 'abc', path => '/', httponly => 1 }, u => { value => 1, 'max-age' => 0 });
is_deeply($r->{cookies}, \%cookies, 'cookies');
is(Account::Jar->new(u => 1, v => 2)->update($r)->header, 't=abc; v=2', 'the jar');
my $bytes = Account::Client::build(1, POST => '/x', form => [ a => '密', a => '+' ],
    headers => { host => 'h', 'X-Y' => [ 1, 2 ], 'user-agent' => undef });
is($bytes, "POST /x HTTP/1.1\r\nConnection: close\r\nContent-Length: 17\r\n"
    . "Content-Type: application/x-www-form-urlencoded\r\n"
    . "X-Y: 1\r\nX-Y: 2\r\nhost: h\r\n\r\na=%E5%AF%86&a=%2B", 'a request');

# secrets
{
    my $text = "[a] [b:c] [pid 135792:tid 135792] x\n";
    my $seen = sub {
        my ($secret, $log) = @_;
        my $form = Account::Test::forms_of($secret);
        return grep { $_ =~ $form } Account::Test::readings_of($log);
    };
    ok($seen->('p&ss wörd', "GET /?p=p%26ss+w%c3%b6rd HTTP"), 'a secret in a query string is found');
    ok($seen->('p&ss wörd', 'p&ss w\\xc3\\xb6rd'), 'and escaped by httpd');
    ok($seen->('secret-1', 'x ' . MIME::Base64::encode_base64("me:$_:secret-1:you")), "and in base64 after $_") for '', 1, 12;
    ok($seen->('135792', 'code 135792 sent'), 'and a code');
    ok(!$seen->('135792', $text), 'but not a process id');
    ok(!$seen->('135792', 'at 1.135792, 1357920'), 'or a part of a number');
}

# MariaDB
my $db = Account::MariaDB->new->start;
my $name = $db->fresh_database;
$db->sql("CREATE TABLE $name.t (v VARCHAR(9) CHARACTER SET utf8mb4); INSERT INTO $name.t VALUES ('密')");
$db->kill9;
ok(!$db->running && !$db->answers, 'mariadb: killed');
is($db->start->sql("SELECT v FROM $name.t"), '密', 'mariadb: what was committed is there');
ok(!$db->sigstop->answers, 'mariadb: frozen');
ok($db->sigcont->answers, 'mariadb: thawed');
ok(!$db->stop->running, 'mariadb: stopped');
like($db->params($name), qr/\Asock=\S+ user=account pass=\S+ dbname=$name\z/, 'mariadb: parameters');
like($db->params($name, 'tcp'), qr/\Ahost=127.0.0.1 port=\d+ user=account/, 'mariadb: parameters for TCP');

# Servers end with the test that started them.
sub orphans_of {
    my ($end) = @_;
    my $dir = temp_dir('victim');
    spew("$dir/victim.pl", <<"END");
use lib '$ROOT/t/lib';
use Account::Test;
\$| = 1;
my \$server = Account::Server->new(account => 0, db => 'none')->start;
my \$frozen = Account::MariaDB->new->start;
\$frozen->sigstop;
Account::Test::spew('$dir/pids', join ' ', \$server->pid, \$server->child_pids, \$frozen->pid);
$end
END
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        Account::Process::forget();
        open STDOUT, '>', "$dir/out";
        open STDERR, '>&', \*STDOUT;
        $ENV{ACCOUNT_TMP} = Account::Process::run_dir();    # so that we clear up after it
        exec $^X, "$dir/victim.pl" or POSIX::_exit(1);
    }
    wait_until(90, sub { -s "$dir/pids" });
    sleep 0.1;
    my @pids = split ' ', slurp("$dir/pids");
    cmp_ok(scalar @pids, '>=', 4, "servers ran: $end") or diag(slurp("$dir/out"));
    kill 'KILL', $pid if $end =~ /sleep/;
    waitpid $pid, 0;
    wait_until(20, sub { !kill 0, @pids });
    return join ' ', grep { kill 0, $_ } @pids;
}
is(orphans_of('sleep 60'), '', 'servers end with the test, also when it is killed');
is(orphans_of('die "oh"'), '', 'and when it dies');
is(orphans_of('pass; done()'), '', 'and when it is done');

# Time limits
my $log = temp_dir('limit') . '/log';
my $stubborn = 'trap "" TERM; echo begun; sleep 60 & wait; sleep 60';
my $slow = Account::Process->spawn(command => [ 'sh', '-c', $stubborn ], output => $log, limit => 1);
is($slow->wait_for(20), 124, 'what takes too long is ended');
like(slurp($log), qr/\Abegun\n# ended: the time limit/, 'and says so');

done();
