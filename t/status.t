# SetHandler account-status: what it counts is what happened, in all processes, whoever of them dies; and it answers
# while the database does not.
# matrix: all
use lib 't/lib';
use Account::Race 'race';
use Account::Test;
use Time::HiRes qw(time sleep);

my $password = canary('Sesame-status-1');
my $mysql = ($ENV{ACCOUNT_DB} || '') eq 'mysql';
my $mariadb = $mysql ? Account::MariaDB->new->start : undef;
my $locations = "<Location /account-status>\nSetHandler account-status\n</Location>\n"
    . "<Location /closed>\nSetHandler account-status\nRequire all denied\n</Location>\n";
my $server = Account::Server->new(mariadb => $mariadb, loglevel => 'info', conf => "AccountSms off\n$locations",
    vhost => [ "ServerName main.test\n", "ServerName other.test\nAccountRealm other\nAccountMount /user mmall\n",
        "ServerName second.test\nAccountDatabase sqlite3 \@DIR\@/second.db\nAccountMount /user mmall\n" ])->start;

sub ask {
    my ($host, $method, $path, %opt) = @_;
    $opt{headers} = { Host => "$host.test", %{ $opt{headers} || {} } };
    return $server->request($method, $path, %opt);
}

# --- the format, strictly: https://prometheus.io/docs/instrumenting/exposition_formats/ ---

# {'name{label="value",..}' => value}, or dies of the first line that is not allowed.
sub parse {
    my ($text) = @_;
    $text =~ /\n\z/ or die "does not end with a newline\n";
    my (%value, %type, %help);
    my $now = '';
    for my $line (split /\n/, $text) {
        if ($line =~ /\A# HELP ([a-zA-Z_:][a-zA-Z0-9_:]*) ([^\\]+)\z/) {
            die "two HELPs: $line\n" if $help{$1}++;
            $now = $1;
        }
        elsif ($line =~ /\A# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) (counter|gauge)\z/) {
            die "TYPE not after its HELP: $line\n" if $1 ne $now || $type{$1};
            $type{$1} = $2;
            die "a counter not named so: $line\n" if ($2 eq 'counter') != ($1 =~ /_total\z/);
        }
        elsif ($line =~ /\A([a-zA-Z_:][a-zA-Z0-9_:]*)(\{(?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\["\\n])*",?)+\})? ([0-9]+(?:\.[0-9]+)?)\z/) {
            my ($name, $labels, $number) = ($1, $2 // '', $3);
            die "not in its group: $line\n" if $name ne $now || !$type{$name};
            die "a comma at the end: $line\n" if $labels =~ /,\}/;
            my %seen;
            $seen{$_}++ and die "a label twice: $line\n" for $labels =~ /(\w+)="/g;
            die "twice: $line\n" if exists $value{"$name$labels"};
            $value{"$name$labels"} = $number;
        }
        else { die "not allowed: $line\n" }
    }
    die "a HELP without a value\n" if grep { my $name = $_; !grep { /\A\Q$name\E(?:\{|\z)/ } keys %value } keys %help;
    return \%value;
}
for ("a 1\n", "# HELP a x.\n# TYPE a gauge\na 1", "# HELP a x.\n# TYPE a gauge\na 1\na 2\n", "# HELP a x.\n# TYPE a counter\na 1\n",
    "# HELP a x.\n# TYPE a gauge\na{b=\"c\"d\"} 1\n", "# HELP a x.\n# TYPE a gauge\na{b=\"c\",} 1\n", "# HELP a x.\n# TYPE a gauge\na -\n") {
    ok(!eval { parse($_); 1 }, 'the parser refuses what is wrong');
}

my $last;    # the reply
sub figures {
    my ($host, %opt) = @_;
    $last = ask($host // 'main', GET => '/account-status?auto', %opt);
    my $figures = eval { parse($last->{body}) };
    ok($figures, 'the format') or diag($@, $last->{text});
    return $figures || {};
}
sub requests { my ($figures) = @_; return { map { /\Aaccount_requests_total\{action="([^"]+)",outcome="([^"]+)"\}\z/ ? ("$1 $2" => $figures->{$_}) : () } keys %$figures } }

# --- nothing has happened ---

my $backend = $mysql ? 'mysql' : 'sqlite3';
my $second = $mysql ? 'sqlite3' : 'sqlite3-2';
my $none = figures();
is($last->{status}, 200, 'it answers');
is($last->{headers}{'content-type'}[0], 'text/plain; version=0.0.4; charset=utf-8', 'as Prometheus wants it');
is_deeply(requests($none), {}, 'no request yet');
my ($version) = slurp("$ROOT/configure.ac") =~ /^AC_INIT\(\[mod_account\], \[([^\]]+)\]/m;
is($none->{qq(account_build_info{version="$version"})}, 1, 'the version');
is($none->{qq(account_up{backend="$backend"})}, 1, 'the database is there');
is($none->{qq(account_up{backend="$second"})}, 1, 'and so is the other');
is($none->{account_accounts}, 0, 'no account');
is($none->{account_sessions}, 0, 'no session');
is($none->{account_outbox_waiting}, 0, 'no message');
cmp_ok($none->{account_outbox_oldest_seconds}, '==', 0, 'that waits');
cmp_ok($none->{account_hash_slots}, '>=', 1, 'slots of the gate');
is($none->{account_hash_running}, 0, 'nobody hashes');
is($none->{account_hash_waiting}, 0, 'or waits to');
ok(exists $none->{$_}, $_) for qw(account_cache_hits_total account_cache_misses_total account_children),
    map { ("account_database_connections{backend=\"$_\",state=\"busy\"}", "account_database_connections{backend=\"$_\",state=\"idle\"}",
        "account_database_waiting{backend=\"$_\"}", "account_database_timeouts_total{backend=\"$_\"}") } $backend, $second;

# --- each request is counted once, by how it was answered ---

sub login { my ($name, $secret, %opt) = @_; return ask($opt{host} // 'main', POST => '/user/login.do', form => { username => $name, password => $secret }, %opt) }
my $jar = Account::Jar->new;
ask(main => POST => '/user/register.do', form => { username => 'geely', password => $password, email => 'geely@example.com' });
login(geely => $password, cookie => $jar);
canary($jar->get('mmall_login_token'));
login(geely => 'x') for 1 .. 3;
login(nobody => 'x') for 1 .. 2;
login(geely => $password, headers => { 'Sec-Fetch-Site' => 'cross-site' });
ask(main => PUT => '/user/login.do');
ask(main => POST => '/user/login.do', body => '{', headers => { 'Content-Type' => 'application/json' });
ask(main => GET => '/user/get_user_info.do', cookie => $jar);
ask(main => GET => '/user/get_user_info.do');
ask(main => GET => '/static.txt');
ask(main => GET => '/user/nothing.do');
ask(other => GET => '/user/get_user_info.do');
my %expected = ('register ok' => 1, 'login ok' => 1, 'login wrong-password' => 3, 'login unknown-account' => 2, 'login cross-site' => 1, 'login bad-method' => 1,
    'login bad-request' => 1, 'current ok' => 1, 'current not-logged-in' => 2);
my $figures = figures();
is_deeply(requests($figures), \%expected, 'what was asked is what was counted, of all virtual hosts');
is($figures->{account_accounts}, 1, 'an account');
is($figures->{account_sessions}, 1, 'a session');
is(figures('other')->{account_accounts}, 0, 'of the realm of the server that answers');
is(figures('second')->{account_accounts}, 0, 'and of its database');
is(ask(second => POST => '/user/register.do', form => { username => 'anna', password => $password, email => 'a@example.com' })->{json}{status}, 0, 'an account elsewhere');
$expected{'register ok'}++;
is(figures('second')->{account_accounts}, 1, 'is counted there');
is(figures()->{account_accounts}, 1, 'and not here');

# --- what waits, what is over ---

my $now = int(time * 1000);
my $message = sub { my ($ref, $realm, $age, $expires, $done) = @_; my $due = $now + 3_600_000;
    $server->sql("INSERT INTO account_message (realm, ref, channel, recipient, name, content, created, expires, due, attempts, lease, down, done) "
        . "VALUES ('$realm', '$ref', 'sms', '1', 'code-login', '', " . ($now - $age * 1000) . ", $expires, $due, 0, '', 0, $done)") };
my $later = $now + 7_200_000;
$message->('a', 'default', 50, $later, 0);
$message->('b', 'default', 20, $later, 0);
$message->('c', 'default', 90, $now - 1, 0);
$message->('d', 'default', 90, $later, 1);
$message->('e', 'other', 90, $later, 0);
$figures = figures();
is($figures->{account_outbox_waiting}, 2, 'messages that wait: neither expired nor done, nor of another realm');
cmp_ok(abs($figures->{account_outbox_oldest_seconds} - 50), '<', 10, 'and for how long');
$server->sql("UPDATE account_session SET seen = 1 WHERE realm = 'default'");
is(figures()->{account_sessions}, 0, 'a session that was idle too long is none');
$server->sql("UPDATE account_session SET seen = $now WHERE realm = 'default'");
is(figures()->{account_sessions}, 1, 'one that is used is one');
$server->sql("UPDATE account_session SET expires = 1 WHERE realm = 'default'");
is(figures()->{account_sessions}, 0, 'one that is over is none');

# --- 200 at the same moment ---

my @replies = race($server->port, [ map { [ POST => '/user/check_valid.do', headers => { Host => 'main.test' }, form => { str => "name-$_", type => 'username' } ] } 1 .. 200 ],
    timeout => 30, pause => 0.5);
my %told;
$told{ $_->{status} == 200 ? 'check_identifier free' : $_->{status} == 503 ? 'check_identifier unavailable' : "$_->{status} $_->{text}" }++ for @replies;
cmp_ok($told{'check_identifier free'} // 0, '>', 100, '200 at once: most are answered');
%expected = (%expected, %told);
$figures = figures();
is_deeply(requests($figures), \%expected, '200 at once: each is counted once');
my $open = $figures->{"account_database_connections{backend=\"$backend\",state=\"idle\"}"} + $figures->{"account_database_connections{backend=\"$backend\",state=\"busy\"}"};
my $most = $server->{mpm} eq 'prefork' ? 1 : 4;
cmp_ok($open, '>=', 1, 'connections are open');
cmp_ok($open, '<=', $most * (() = $server->child_pids), 'as many as there may be');
is($figures->{"account_database_connections{backend=\"$backend\",state=\"busy\"}"}, 0, 'none of them is busy: this page gives its own back before it counts');
is($figures->{"account_database_waiting{backend=\"$backend\"}"}, 0, 'nobody waits');

# --- a child dies ---

my $quiet = sub { my @children = $server->child_pids; sleep 0.3; return "@children" eq join(' ', $server->child_pids) && figures()->{account_children} == @children };
sub settled { my ($name) = @_; ok(wait_until(15, $quiet), $name) }
settled('as many processes answer as there are children');
my @before = $server->child_pids;
kill 'KILL', $before[0];
ok(wait_until(5, sub { !grep { $_ == $before[0] } $server->child_pids }), 'a child dies');
is_deeply(requests(figures()), \%expected, 'what it had counted stays');
settled('it is not counted among those that answer');
$figures = figures();
cmp_ok($figures->{"account_database_connections{backend=\"$backend\",state=\"idle\"}"}, '<=', $most * (() = $server->child_pids), 'nor are its connections');
is($figures->{account_hash_running}, 0, 'nor what it held of the gate');
login(nobody => 'x');
$expected{'login unknown-account'}++;
is_deeply(requests(figures()), \%expected, 'counting goes on');
kill 'KILL', $server->child_pids;
ok(wait_until(15, sub { $server->get('/static.txt')->{status} == 200 }), 'all die');
is_deeply(requests(figures()), \%expected, 'and what was counted stays');

# --- restarts ---

$server->restart('graceful');
is_deeply(requests(figures()), \%expected, 'a graceful restart goes on counting');
login(nobody => 'x');
$expected{'login unknown-account'}++;
is_deeply(requests(figures()), \%expected, 'and does so exactly');
settled('and the children of before are not counted among those that answer');

# --- for people ---

my $page = ask(main => GET => '/account-status');
is($page->{status}, 200, 'a page');
is($page->{headers}{'content-type'}[0], 'text/html; charset=utf-8', 'in HTML');
like($page->{headers}{'content-security-policy'}[0], qr/\Adefault-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'/, 'its policy');
is($page->{headers}{$_->[0]}[0], $_->[1], $_->[0]) for [ 'x-content-type-options', 'nosniff' ], [ 'cache-control', 'no-store' ], [ 'referrer-policy', 'no-referrer' ];
unlike($page->{text}, qr/<script|src=|https?:|\@import|url\(|geely|example\.com/i, 'nothing from elsewhere, nobody\'s name');
like($page->{text}, qr{<tr><td>login</td><td>.*<span>wrong-password <b>3</b></span>.*</td></tr>}, 'logins by how they ended');
like($page->{text}, qr{<tr><td>Accounts of the realm</td><td>1</td></tr>}, 'accounts');
like($page->{text}, qr{<tr><td>Version</td><td>\Q$version\E</td></tr>}, 'the version');
unlike($page->{text}, qr/does not answer/, 'the database answers');
my @open;
for my $tag ($page->{text} =~ /<(\/?\w+)[^>]*>/g) {
    next if $tag =~ /\A(?:meta)\z/;
    if ($tag !~ m{\A/}) { push @open, $tag }
    elsif ("/$open[-1]" eq $tag) { pop @open }
    else { push @open, "unclosed before $tag"; last }
}
is("@open", '', 'each element is closed');
unlike("$page->{text}$last->{text}", qr/host=|user=account|pass=|sock=|account\.db/, 'nothing of how to get at the database');
is(ask(main => GET => "/account-status?$_")->{headers}{'content-type'}[0], 'text/html; charset=utf-8', "?$_ is the page") for 'auto=1', 'auto&', '%61uto', 'x"<script>';
unlike(ask(main => GET => '/account-status?<script>')->{text}, qr/script/, 'which repeats nothing of it');

is(ask(main => GET => '/account-status?auto=')->{headers}{'content-type'}[0], 'text/plain; version=0.0.4; charset=utf-8', '?auto= is what Prometheus sends');
my ($sample) = slurp("$ROOT/README.md") =~ /^(    <Location \/account-status>\n(?:    .*\n)*?    <\/Location>\n)/m;
my ($status, $said) = configtest($sample // 'nothing');
is($status, 0, 'README shows how') or diag($said);

# --- how it may be asked, and by whom ---

for my $path ('/account-status', '/account-status?auto') {
    my $head = ask(main => HEAD => $path);
    is($head->{status}, 200, "HEAD $path");
    is($head->{body}, '', 'without a body');
    cmp_ok($head->{headers}{'content-length'}[0], '>', 500, 'with its length');
    for my $method (qw(POST PUT DELETE PATCH)) {
        my $r = ask(main => $method => $path, body => 'x');
        is($r->{status}, 405, "$method $path");
        like($r->{headers}{allow}[0], qr/\A(?:GET,HEAD|HEAD,GET)(?:,TRACE)?\z/, 'and says what may be');
    }
    is(ask(main => GET => $path =~ s/account-status/closed/r)->{status}, 403, "$path, where Require says no");
}
is(ask(main => GET => $_)->{status}, 404, "$_ is nothing") for '/account-status-2', '/user/account-status';
my $plain = Account::Server->new(mpm => $server->{mpm}, mounts => '', db => 'none')->start;
is($plain->get('/account-status')->{status}, 404, 'without SetHandler there is none');
$plain->{conf} = $locations;
$plain->write_conf->restart('graceful');
like($plain->get('/account-status')->{text}, qr/There is no AccountDatabase/, 'without a database there is a page that says so');
is_deeply(requests(parse($plain->get('/account-status?auto')->{body})), {}, 'and figures');
$plain->stop;

# --- the database does not answer ---

SKIP: {
    skip 'of MariaDB only', 22 if !$mysql;
    for my $trouble (qw(sigstop stop)) {
        $mariadb->$trouble;
        for my $try (1 .. 3) {
            my $start = time;
            $figures = figures();
            is($last->{status}, 200, "$trouble: 200");
            cmp_ok(time - $start, '<', 3, "$trouble: within 3 seconds");
            is($figures->{qq(account_up{backend="$backend"})}, 0, "$trouble: it is not up");
            ok(!(grep { exists $figures->{$_} } qw(account_accounts account_sessions account_outbox_waiting)), "$trouble: nothing that it would know");
        }
        like(ask(main => GET => '/account-status')->{text}, qr{<p class="down">The database does not answer}, "$trouble: and the page says so");
        is(figures('second')->{account_accounts}, 1, "$trouble: the other one is");
        $trouble eq 'sigstop' ? $mariadb->sigcont : $mariadb->start;
        my $up = sub { my $now = figures(); return $now->{qq(account_up{backend="$backend"})} && ($now->{account_accounts} // -1) == 1 };
        ok(wait_until(10, $up), "$trouble: and back");
    }
}
done();
