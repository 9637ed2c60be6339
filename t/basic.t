# AuthBasicProvider account, AuthFormProvider account: the same accounts for what knows no sessions.
# matrix: all
use lib 't/lib';
use Account::Basic;
use Account::Race 'race';
use Account::Test;
use MIME::Base64 'encode_base64';
use Time::HiRes qw(sleep time);

my @modules = (@BASIC_MODULES, 'authn_socache');
my $places = $BASIC_PLACES . <<'END';
<Location "/dav">
    AuthType Basic
    AuthName "the accounts"
    AuthBasicProvider account
    Require account
    Header set X-Who "expr=%{REMOTE_USER}/%{ACCOUNT:id}/%{ACCOUNT:role}/%{ACCOUNT:session}"
</Location>
<Location "/valid">
    AuthType Basic
    AuthName valid
    AuthBasicProvider account
    Require valid-user
    Header set X-Who "expr=%{REMOTE_USER}"
</Location>
<Location "/mail">
    AuthType Basic
    AuthName mail
    AuthBasicProvider account
    AccountUserField email
    Require account
</Location>
<Location "/staff">
    AuthType Basic
    AuthName staff
    AuthBasicProvider account
    AuthzSendForbiddenOnFailure On
    Require account-role admin
</Location>
<Location "/fresh">
    AuthType Basic
    AuthName fresh
    AuthBasicProvider account
    Require account-fresh 1s
</Location>
AuthnCacheEnable
<Location "/socache">
    AuthType Basic
    AuthName socache
    AuthBasicProvider socache account
    AuthnCacheProvideFor account
    AuthnCacheTimeout 300
    Require account
</Location>
END
my %files = basic_files(qw(dav valid mail staff fresh socache folder));

$files{'htdocs/folder/.htaccess'} = <<'END';
AuthType Basic
AuthName folder
AuthBasicProvider account
Require account-role admin
END
my $server = Account::Server->new(modules => [@modules], conf => $places, files => \%files,
    mounts => "AccountMount /user mmall\nAccountMount /management management\n",
    hash => 'argon2id m=1024 t=1 p=1')->start;
canary('Sesame-filip-file');

sub register {
    my ($on, $name, $password) = @_;
    canary($password);
    my $r = $on->post('/user/register.do', form => { username => $name, password => $password, email => mail_of($name) });
    is($r->{json}{status}, 0, "$name is registered");
    return $password;
}
my %mail;
sub mail_of { my ($name) = @_; return $mail{$name} //= 'mail' . (1 + keys %mail) . '@example.com' }

sub header { return { basic(@_) } }
sub get { my ($path, $name, $password, %opt) = @_; return $server->get($path, headers => header($name, $password), %opt) }
sub status { return get(@_)->{status} }
sub who { return (get(@_)->{headers}{'x-who'} || ['nobody'])->[0] }
sub log_in {
    my ($name, $password) = @_;
    my $jar = Account::Jar->new;
    is($server->post('/user/login.do', form => { username => $name, password => $password }, cookie => $jar)->{json}{status},
        0, "$name logs in");
    return $jar;
}
# Lines of the audit, without what else the error log says.
sub audited {
    my ($of, $event) = @_;
    return scalar(() = $of->error_log =~ /"event": ?"\Q$event\E[":]/g);
}
# How often a password was hashed and found right.
sub verified { my ($of) = @_; return scalar(() = $of->error_log =~ /AC00199/g) }

my $alice = register($server, 'alice', 'Sesame-alice-basic');
my $bert  = register($server, 'bert', 'Sesame:bert:colons');
my $mona  = register($server, 'Mönä', 'Sésame-Mönä-门');
my $long  = register($server, 'lang', 'L' . 'o' x 253 . 'g');
my $dora  = register($server, 'dora', 'Sesame-dora-basic');
my $penny = register($server, 'penny', 'Sesame-penny-basic');
my $none  = register($server, 'none', 'Sesame-none-basic');
register($server, 'admin', my $admin = 'Sesame-admin-basic');
$server->sql("UPDATE account SET role = 'admin' WHERE user_name = 'admin'");
$server->sql("UPDATE account SET status = 'disabled' WHERE user_name = 'dora'");
$server->sql("UPDATE account SET status = 'pending' WHERE user_name = 'penny'");
$server->sql("UPDATE account SET password = NULL WHERE user_name = 'none'");
my ($id) = $server->sql("SELECT id FROM account WHERE user_name = 'alice'");
my $alice_mail = mail_of('alice');

# --- who may ---

my $r = $server->get('/dav/');
is($r->{status}, 401, 'nobody: 401');
is($r->{headers}{'www-authenticate'}[0], 'Basic realm="the accounts"', 'which asks for Basic');
is(scalar(@{ $r->{headers}{location} || [] }), 0, 'and sends nobody anywhere');

my @rows = (
    # what, name, password, status
    [ 'right', 'alice', $alice, 200 ],
    [ 'right, again', 'alice', $alice, 200 ],
    [ 'right, in capitals', 'ALICE', $alice, 200 ],
    [ 'by e-mail address', $alice_mail, $alice, 200 ],
    [ 'wrong', 'alice', 'Sesame-alice-basix', 401 ],
    [ 'wrong: another one\'s', 'alice', $bert, 401 ],
    [ 'wrong: one character less', 'alice', substr($alice, 0, -1), 401 ],
    [ 'wrong: one more', 'alice', $alice . 'x', 401 ],
    [ 'wrong: other case', 'alice', lc $alice, 401 ],
    [ 'unknown', 'nobody', $alice, 401 ],
    [ 'an empty name', '', $alice, 401 ],
    [ 'an empty password', 'alice', '', 401 ],
    [ 'both empty', '', '', 401 ],
    [ 'blanks', ' ', ' ', 401 ],
    [ 'colons in the password', 'bert', $bert, 200 ],
    [ 'up to the first colon only', 'bert', 'Sesame', 401 ],
    [ 'not ASCII', 'Mönä', $mona, 200 ],
    [ 'not ASCII, in capitals', 'MÖNÄ', $mona, 200 ],
    [ 'not ASCII, decomposed', "Mo\x{308}na\x{308}", "Se\x{301}same-Mo\x{308}na\x{308}-门", 200 ],
    [ 'not ASCII, wrong', 'Mönä', 'Sesame-Mona-门', 401 ],
    [ '255 characters', 'lang', $long, 200 ],
    [ '256 characters', 'lang', $long . 'x', 401 ],
    [ 'a name of 255 characters', 'n' x 255, $alice, 401 ],
    [ 'a name of 256 characters', 'n' x 256, $alice, 401 ],
    [ 'a long name', 'n' x 4000, $alice, 401 ],
    [ 'a long password', 'alice', $alice x 150, 401 ],
    [ 'disabled', 'dora', $dora, 401 ],
    [ 'pending', 'penny', $penny, 401 ],
    [ 'no password', 'none', $none, 401 ],
    [ 'the stored hash for a password', 'alice', scalar($server->sql("SELECT password FROM account WHERE user_name = 'alice'")), 401 ],
);
for my $row (@rows) {
    my ($what, $name, $password, $wanted) = @$row;
    $r = get('/dav/', $name, $password);
    is($r->{status}, $wanted, $what);
    is($r->{text}, "the dav page\n", "$what: the page") if $wanted == 200;
    is($r->{headers}{'www-authenticate'}[0], 'Basic realm="the accounts"', "$what: asked again") if $wanted == 401;
    is_deeply($r->{cookies}, {}, "$what: no cookie");
}
my %raw = (
    'Latin-1' => encode_base64("M\xF6n\xE4:S\xE9same", ''),
    'overlong UTF-8' => encode_base64("al\xC1\xA9ce:$alice", ''),
    'a surrogate' => encode_base64("alice:\xED\xA0\x80$alice", ''),
    'a NUL after the password' => encode_base64("alice:$alice\0", ''),
    'a NUL and more after it' => encode_base64("alice:$alice\0x", ''),
    'a NUL in the name' => encode_base64("alice\0:$alice", ''),
    'no colon' => encode_base64('alice', ''),
    'nothing' => '',
    'no base64 behind it' => encode_base64("alice:$alice", '') . '!',
    'more base64 behind its end' => encode_base64("alice:$alice", '') . ' ' . encode_base64('x', ''),
    'no base64' => '%%%%',
    'no padding' => encode_base64("alice:${alice}", '') =~ s/=+\z/A/r . '*',
);
is($server->get('/dav/', headers => { Authorization => "Basic $raw{$_}" })->{status}, 401, "$_: 401") for sort keys %raw;
is($server->get('/dav/', headers => { Authorization => $_ })->{status}, 401, "\"$_\": 401")
    for 'Bearer x', 'Digest username="alice"', 'Basic', 'Account';
is($server->get('/dav/', headers => { Authorization => [ header('alice', $alice)->{Authorization}, header('bert', $bert)->{Authorization} ] })
    ->{status}, 401, 'two headers are none');
my $lower = header('alice', $alice)->{Authorization};
is($server->get('/dav/', headers => { Authorization => $lower =~ s/Basic/basic/r })->{status}, 200, 'the scheme in small letters');

# --- as whom ---

my $role = (split m{/}, who('/dav/', 'alice', $alice))[2];
is(who('/dav/', 'alice', $alice), "alice/$id/$role/", 'who it is; there is no session');
is(who('/dav/', $alice_mail, $alice), "alice/$id/$role/", 'the same by another of her names');
is(who('/valid/', 'ALICE', $alice), 'alice', 'Require valid-user: her name');
is(status('/staff/', 'alice', $alice), 403, 'another role: 403');
is(status('/staff/', 'admin', $admin), 200, 'the role');
is(join(' ', map { status('/folder/', @$_) } [ 'admin', $admin ], [ 'admin', $alice ], [ 'alice', $alice ]), '200 401 401', 'in .htaccess');
is(status('/socache/', 'alice', $alice), 200, 'beside mod_authn_socache') for 1 .. 2;
is(status('/fresh/', 'alice', $alice), 200, 'a password that comes along is fresh');
sleep 1.2;
is(status('/fresh/', 'alice', $alice), 200, 'always');
is(status('/mail/', 'alice', $alice), 403, 'AccountUserField email: she has not proven any');
$server->sql("UPDATE account SET email_verified = 1 WHERE user_name = 'alice'");
is(status('/mail/', 'alice', $alice), 200, 'now she has');
is($server->sql('SELECT COUNT(*) FROM account_session'), 0, 'no session began');
is(status('/static.txt', 'alice', 'whatever'), 200, 'where nobody asks, nobody looks');

# --- it is remembered, and nothing is kept of it too long ---

my $before = verified($server);
is(status('/dav/', 'alice', $alice), 200, 'alice') for 1 .. 12;
is(verified($server), $before, 'not hashed again, whatever the process');
cmp_ok(audited($server, 'authn_login_success'), '>=', 3, 'the audit has logins');
my $logins = audited($server, 'authn_login_success');
is(status('/dav/', 'alice', $alice), 200, 'what is remembered');
is(audited($server, 'authn_login_success'), $logins, 'is none');
my $failures = audited($server, 'authn_login_fail');
is(status('/dav/', 'alice', 'Sesame-alice-basix'), 401, 'a wrong one');
is(audited($server, 'authn_login_fail'), $failures + 1, 'is one in the audit');

my $jar = log_in('alice', $alice);
my $next = canary('Sesame-alice-next');
is($server->post('/user/reset_password.do', cookie => $jar, form => { passwordOld => $alice, passwordNew => $next })->{json}{status},
    0, 'her new password');
is(join(' ', map { status('/dav/', 'alice', $alice) } 1 .. 8), '401 ' x 7 . '401', 'the old one is worth nothing, in any process');
is(join(' ', map { status('/socache/', 'alice', $alice) } 1 .. 3), '401 401 401', 'nor does mod_authn_socache keep it');
is(join(' ', map { status('/dav/', 'alice', $next) } 1 .. 8), '200 ' x 7 . '200', 'the new one is good');
$alice = $next;

is(status('/staff/', 'bert', $bert), 403, 'bert is none of the staff');
$server->sql("UPDATE account SET role = 'admin' WHERE user_name = 'bert'");
is(join(' ', map { status('/staff/', 'bert', $bert) } 1 .. 4), '200 200 200 200', 'now he is: at once');
$server->sql("UPDATE account SET role = 'user' WHERE user_name = 'bert'");
is(join(' ', map { status('/staff/', 'bert', $bert) } 1 .. 4), '403 403 403 403', 'and now not');
$server->sql("UPDATE account SET status = 'disabled' WHERE user_name = 'bert'");
is(join(' ', map { status('/dav/', 'bert', $bert) } 1 .. 4), '401 401 401 401', 'disabled: at once');
$server->sql("UPDATE account SET status = 'active' WHERE user_name = 'bert'");
is(status('/dav/', 'bert', $bert), 200, 'enabled: at once');
$server->sql("DELETE FROM account_identifier WHERE account = (SELECT id FROM account WHERE user_name = 'Mönä')");
is(status('/dav/', 'Mönä', $mona), 401, 'gone: at once');

$before = verified($server);
$server->restart('graceful');
is(status('/dav/', 'alice', $alice), 200, 'after a graceful restart') for 1 .. 4;
is(verified($server), $before + 1, 'which forgets') or diag(verified($server) - $before);

# --- an old hash is renewed ---

$server->{hash} = 'argon2id m=512 t=1 p=1';
$server->write_conf->restart('graceful');
is(status('/dav/', 'alice', $alice), 200, 'another AccountPasswordHash');
like($server->sql("SELECT password FROM account WHERE user_name = 'alice'"), qr/m=512,/, 'renews the hash');
is(status('/dav/', 'alice', $alice), 200, 'which is as good');

# --- beside another provider ---

is(status('/two/', 'alice', $alice), 200, 'account file: an account');
is(who('/two/', 'filip', 'Sesame-filip-file'), 'filip/', 'account file: one of the file, who is no account');
is(status('/two/', 'filip', 'Sesame-filip-fils'), 401, 'account file: not with another password');
is(status('/two/', 'alice', 'Sesame-filip-file'), 401, 'account file: nor alice with his');
is(status('/turned/', $_->[0], $_->[1]), $_->[2], "file account: $_->[0]")
    for [ 'alice', $alice, 200 ], [ 'filip', 'Sesame-filip-file', 200 ], [ 'filip', $alice, 401 ], [ 'nobody', $alice, 401 ];
is(status('/off/', 'alice', $alice), 200, 'AuthBasicAuthoritative off: right');
is(status('/off/', 'alice', 'Sesame-alice-basic'), 401, 'AuthBasicAuthoritative off: wrong');
is(status('/off/', 'nobody', $alice), 500, 'AuthBasicAuthoritative off: nobody knows the name, and nobody else is there');
is($server->get('/off/')->{status}, 401, 'AuthBasicAuthoritative off: nothing');

# --- a form ---

sub form {
    my ($path, $name, $password, $to) = @_;
    return $server->post($path, form => { httpd_username => $name, httpd_password => $password }, cookie => $to // Account::Jar->new);
}
my $form = Account::Jar->new;
is($server->get('/form/')->{status}, 401, 'a form: nobody');
is(form('/form/in', 'alice', 'Sesame-wrong')->{status}, 401, 'a form: wrong');
is(form('/form/in', 'dora', $dora)->{status}, 401, 'a form: disabled');
$r = form('/form/in', 'alice', $alice, $form);
is($r->{status} =~ /\A30[12]\z/, 1, 'a form: right') or diag($r->{text});
$r = $server->get('/form/', cookie => $form);
is("$r->{status} $r->{headers}{'x-who'}[0]", "200 alice/$id", 'a form: its session');
is($server->get('/form/', cookie => $form)->{status}, 200, 'a form: again');
is(form('/form/', 'alice', 'Sesame-wrong')->{status}, 401, 'a form in the page: wrong');
is(form('/form/', 'alice', $alice)->{status} =~ /\A(?:200|30[12])\z/, 1, 'a form in the page: right');
$jar = log_in('alice', $alice);
$next = canary('Sesame-alice-third');
$server->post('/user/reset_password.do', cookie => $jar, form => { passwordOld => $alice, passwordNew => $next });
is($server->get('/form/', cookie => $form)->{status}, 401, 'a form: with a new password that session is over at once');
$alice = $next;

# --- guesses ---

my $strict = Account::Server->new(modules => [@modules], conf => $places, files => \%files, limits => 1,
    mounts => "AccountMount /user mmall\n", hash => 'argon2id m=19456 t=2 p=1', loglevel => 'info account:debug')->start;
my $carl = register($strict, 'carl', 'Sesame-carl-basic');
my $erna = register($strict, 'erna', 'Sesame-erna-basic');
my $device = Account::Jar->new;
is($strict->post('/user/login.do', form => { username => 'erna', password => $erna }, cookie => $device)->{json}{status}, 0, 'erna has a device');
my @many = race($strict->port, [ map { [ GET => '/dav/', headers => header('carl', $carl), from => undef ] } 1 .. 30 ], timeout => 20);
my %got;
$got{ $_->{status} }++ for @many;
my $later = delete $got{503} // 0;    # a machine with other things to do says so, and is asked again
$got{ $strict->get('/dav/', headers => header('carl', $carl))->{status} }++ for 1 .. $later;
is_deeply(\%got, { 200 => 30 }, '30 at the same time: all are let in, and no limit is used up');
cmp_ok(verified($strict), '<=', 3, 'and it was hashed ' . verified($strict) . ' times');

%got = ();
my $limited;
for (1 .. 300) {
    $r = $strict->get('/dav/', headers => header($_ % 2 ? 'erna' : "guess$_", "Sesame-wrong-$_"), from => '127.0.0.9');
    $got{ $r->{status} }++;
    $limited = $r if $r->{status} == 429;
}
cmp_ok($got{401}, '<=', 20, "300 guesses from one address: $got{401} looked at");
cmp_ok($got{401}, '>=', 10, 'which is what AccountLimit says');
is($got{401} + ($got{429} // 0), 300, 'the rest: 429');
is(audited($strict, 'authn_login_fail_max'), $got{429}, 'each of which is in the audit');
like($limited->{headers}{'retry-after'}[0], qr/\A[1-9]\d*\z/, 'with Retry-After');
like($limited->{text}, qr/429 Too Many Requests/, 'and a page that says so');
is($limited->{headers}{'www-authenticate'}, undef, 'nobody is asked for another password');
is($strict->get('/dav/', headers => header('erna', $erna), from => '127.0.0.9')->{status}, 429, 'the right one from there is not looked at');
is($strict->get('/dav/', headers => header('carl', $carl), from => '127.0.0.9')->{status}, 200, 'what is remembered needs no guess');
isnt($strict->post('/user/login.do', form => { username => 'carl', password => $carl }, from => '127.0.0.9')->{json}{status} // 1,
    0, 'a login from there is one guess too many as well');
is($strict->get('/dav/', headers => header('erna', $erna), from => '127.0.0.11')->{status}, 429, 'nor from elsewhere: it is her account that was guessed at');
is($strict->get('/dav/', headers => header('erna', 'Sesame-wrong'), cookie => $device->header, from => '127.0.0.11')->{status}, 401,
    'but from her device: wrong');
is($strict->get('/dav/', headers => header('erna', $erna), cookie => $device->header, from => '127.0.0.11')->{status}, 200, 'and right');
$erna = canary('Sesame-erna-next');
is($strict->post('/user/reset_password.do', form => { passwordOld => 'Sesame-erna-basic', passwordNew => $erna }, cookie => $device)->{json}{status},
    0, 'whose new password');
is($strict->get('/off/', headers => header('erna', $erna), from => '127.0.0.9')->{status}, 429, 'AuthBasicAuthoritative off: 429');
is($strict->post('/form/in', form => { httpd_username => 'erna', httpd_password => $erna }, from => '127.0.0.9')->{status}, 429, 'a form: 429');
is($strict->get('/two/', headers => header('filip', 'Sesame-filip-file'), from => '127.0.0.10')->{status}, 200,
    'somebody whom another provider knows is no guess') for 1 .. 25;
$strict->stop;

# --- without a cache ---

my $plain = Account::Server->new(modules => [@modules], conf => $places . "AccountCache off\n", files => \%files)->start;
my $otto = register($plain, 'otto', 'Sesame-otto-basic');
is($plain->get('/dav/', headers => header('otto', $otto))->{status}, 200, 'AccountCache off') for 1 .. 3;
is($plain->get('/dav/', headers => header('otto', "x$otto"))->{status}, 401, 'AccountCache off: wrong');
$plain->{conf} = $places . "AccountCache shmcb:\@DIR\@/run/remembered(70000)\nAccountCache shmcb:\@DIR\@/run/remembered(65536)\n";
$plain->write_conf->restart('graceful');
is($plain->get('/dav/', headers => header('otto', $otto))->{status}, 200, 'AccountCache shmcb:FILE(BYTES)') for 1 .. 3;
is(verified($plain), 1, 'which remembers');
$plain->stop;
{
    # without mod_socache_shmcb
    $plain->{conf} = $places;
    $plain->write_conf;
    my $text = slurp("$plain->{dir}/httpd.conf") =~ s/^(?:LoadModule (?:socache_shmcb|authn_socache)_module|\s*AuthnCache).*\n//mgr;
    $text =~ s/socache account/account/;
    spew("$plain->{dir}/httpd.conf", $text);
    unlink "$plain->{dir}/logs/error_log";
    $plain->start;
    is($plain->get('/dav/', headers => header('otto', $otto))->{status}, 200, 'no mod_socache_shmcb: right') for 1 .. 2;
    is($plain->get('/dav/', headers => header('otto', "x$otto"))->{status}, 401, 'no mod_socache_shmcb: wrong');
    is(scalar(() = $plain->error_log =~ /AC00274/g), 1, 'which is said, once');
    $plain->stop;
    spew("$plain->{dir}/httpd.conf", "$text\nAccountCache shmcb\n");
    my ($status, $said) = $plain->configtest;
    isnt($status, 0, 'AccountCache shmcb without it');
    like($said, qr/line \d+ of \S+: AccountCache: it needs mod_socache_shmcb: LoadModule/, 'is an error that says what is missing');
}

# --- an error page in the guarded place is not a second guess; too many at once is 503 ---

my $busy = Account::Server->new(modules => [@modules], files => \%files, mounts => "AccountMount /user mmall\n", hash => 'argon2id m=65536 t=3 p=1',
    conf => $places . "AccountHashSlots 1\nAccountLimit password-account 3/1h\n<Location /dav>\nErrorDocument 401 /dav/index.html\n</Location>\n")->start;
register($busy, 'anna', my $annas = 'Sesame-anna-basic');
is($busy->get('/dav/', headers => header('anna', "x$_$annas"))->{status}, 401, 'ErrorDocument 401 in the same place') for 1 .. 3;
is($busy->get('/dav/', headers => header('anna', $annas))->{status}, 429, 'three guesses were three guesses');
$busy->{conf} =~ s{password-account 3/1h}{password-account off};
$busy->write_conf->restart('graceful');
%got = ();
for my $round (1 .. 6) {    # until they come faster than one after the other
    $got{ $_->{status} }++ for race($busy->port, [ map { [ GET => '/dav/', headers => header('anna', "x$_$annas") ] } 1 .. 40 ], timeout => 30);
    last if $got{503};
}
is(join(' ', sort keys %got), '401 503', '40 at the same time: those that can\'t wait get 503') or diag(explain(\%got));
is($busy->get('/dav/', headers => header('anna', $annas))->{status}, 200, 'and then all is well');
$busy->stop;

for (
    [ 'AccountCache nothing', qr/AccountCache takes shmcb, shmcb:FILE\(BYTES\), memcache:HOST:PORT, redis:HOST:PORT or off; there is no nothing/ ],
    [ "AccountCache shmcb:\@DIR\@/cache(12)", qr/AccountCache: .*12|AccountCache: .*size/i ],
    [ "<VirtualHost *:1>\nAccountCache off\n</VirtualHost>", qr/AccountCache (?:not allowed|cannot occur)/ ],
    [ "LoadModule auth_digest_module " . Account::Server::apxs('LIBEXECDIR') . "/mod_auth_digest.so\n<Location /x>\nAuthDigestProvider account\n</Location>",
        qr/'account' Authn provider doesn't support Digest/ ],
) {
    my ($status, $said) = configtest($_->[0], modules => ['auth_basic']);
    isnt($status, 0, "configtest: $_->[0]");
    like($said, $_->[1], 'and says why');
}
done();
