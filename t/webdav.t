# Basic with the accounts, as those use it who know no sessions: WebDAV, git, Subversion, scripts and back ends;
# several servers on one database; and a database that dies.
# matrix: once
use lib 't/lib';
use Account::Basic;
use Account::Test;
use MIME::Base64 'decode_base64';
use Time::HiRes qw(sleep time);

my $mpm = $ENV{ACCOUNT_MPM} || 'event';
my $repositories = temp_dir('repositories');
my $work = temp_dir('work');
my $readme = slurp("$ROOT/README.md");
my ($in_readme) = $readme =~ /^## Basic: .*?\n( {4}[^\n]*\n(?: {4}[^\n]*\n|\n)*)/ms;

my $conf = $BASIC_PLACES . <<'END';
<Directory "@DIR@/htdocs/files">
    Dav On
    AuthType Basic
    AuthName files
    AuthBasicProvider account
    AuthzSendForbiddenOnFailure On
    <Limit GET HEAD OPTIONS PROPFIND>
        Require account
    </Limit>
    <LimitExcept GET HEAD OPTIONS PROPFIND>
        Require account-role admin
    </LimitExcept>
</Directory>
<Location "/svn">
    Dav svn
    SVNPath "REPOSITORIES/svn"
    AuthType Basic
    AuthName svn
    AuthBasicProvider account
    Require account
</Location>
<Directory "@DIR@/scripts">
    Require all granted
    Options ExecCGI
    SetHandler cgi-script
</Directory>
Alias /env "@DIR@/scripts/env"
ProxyPass /behind http://127.0.0.1:BACKEND/env
ProxyPass /clean http://127.0.0.1:BACKEND/env
<LocationMatch "^/(?:env|behind|clean|open)">
    AuthType Basic
    AuthName scripts
    AuthBasicProvider account
    Require account
</LocationMatch>
<Location "/clean">
    RequestHeader unset Authorization
</Location>
<Location "/fake">
    AuthBasicFake "%{REMOTE_USER}" shared-word
</Location>
ProxyPass /fake http://127.0.0.1:BACKEND/env
<Location "/fake">
    AuthType Account
    Require account
</Location>
END
ok($in_readme, 'README has an example');
$in_readme =~ s/^ {4}//mg;
for ([ '/srv/dav' => '@DIR@/srv/dav' ], [ '/var/lib/apache2/dav-locks' => '@DIR@/run/readme-locks' ], [ '/srv/git' => "$repositories" ],
    [ '/usr/lib/git-core/' => (slurp_of('git', '--exec-path') =~ s/\s+\z//r) . '/' ]) {
    my ($theirs, $ours) = @$_;
    ok($in_readme =~ s/\Q$theirs\E/$ours/g, "README's example says $theirs");
}
sub slurp_of { my @command = @_; open my $out, '-|', @command or die "$command[0]: $!\n"; local $/; return scalar <$out> }

$conf =~ s/REPOSITORIES/$repositories/g;

sub run {
    my ($command, %env) = @_;
    my $output = "$work/output";
    unlink $output;
    my $run = Account::Process->spawn(command => [ 'bash', '-ec', $command ], output => $output, limit => 60,
        env => { HOME => $work, LC_ALL => 'C.UTF-8', GIT_TERMINAL_PROMPT => 0, GIT_CONFIG_NOSYSTEM => 1, GIT_AUTHOR_NAME => 'a',
            GIT_AUTHOR_EMAIL => 'a@example.com', GIT_COMMITTER_NAME => 'a', GIT_COMMITTER_EMAIL => 'a@example.com', %env });
    my $status = $run->wait_for(70);
    return ($status, slurp($output));
}
my ($status, $said) = run("cd $repositories && git init -q --bare shop.git && git -C shop.git symbolic-ref HEAD refs/heads/main"
    . " && svnadmin create svn");
is($status, 0, 'repositories') or diag($said);
spew("$repositories/shop.git/hooks/post-receive", "#!/bin/sh\nenv | grep -E '^(REMOTE_USER|ACCOUNT_|HTTP_AUTH)' | sort > $work/pushed\n", 0755);

my $cgi = $mpm eq 'prefork' ? 'cgi' : 'cgid';
my $backend = Account::Server->new(account => 0, db => 'none', modules => [$cgi], mounts => '', conf => <<'END');
<Directory "@DIR@/scripts">
    Require all granted
    Options ExecCGI
    SetHandler cgi-script
    CGIPassAuth On
</Directory>
Alias /env "@DIR@/scripts/env"
ForensicLog /dev/null
END
my $port = $backend->port;
$conf =~ s/BACKEND/$port/g;
my $mariadb = Account::MariaDB->new->start;
my %opt = (db => 'mysql', mariadb => $mariadb, mpm => $mpm, hash => 'argon2id m=1024 t=1 p=1', mounts => "AccountMount /user mmall\n",
    modules => [ @BASIC_MODULES, qw(dav dav_fs dav_svn proxy proxy_http), $cgi ]);
my %files = basic_files('open');
canary('Sesame-filip-file');
my $server = Account::Server->new(%opt, conf => $conf . $in_readme, files => \%files);
my $two = Account::Server->new(%opt, dbname => $server->{dbname}, files => \%files, conf => $conf =~ s{<Location "/svn">.*?</Location>\n}{}sr);
spew($two->dir . '/account.key', slurp($server->dir . '/account.key'), 0600);
for my $on ($server, $two, $backend) {
    mkdir "$on->{dir}/$_" for qw(scripts htdocs/files srv srv/dav);
    spew("$on->{dir}/scripts/env", "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n'\nenv | sort\n", 0755);
    $on->start;
}

sub register {
    my ($name, $password) = @_;
    canary($password);
    is($server->post('/user/register.do', form => { username => $name, password => $password, email => "$name\@example.com" })
        ->{json}{status}, 0, "$name is registered");
    return $password;
}
my $admin = register('admin', 'Sesame-admin-webdav');
my $bert = register('bert', 'Sesame-bert-webdav');
$server->sql("UPDATE account SET role = 'admin' WHERE user_name = 'admin'");
my @admin = basic('admin', $admin);
my @bert = basic('bert', $bert);

# --- WebDAV ---

sub dav {
    my ($method, $path, $headers, $body, @more) = @_;
    return $server->request($method, $path, headers => { @$headers, @more }, defined $body ? (body => $body) : ());
}
my $lock = '<?xml version="1.0"?><D:lockinfo xmlns:D="DAV:"><D:lockscope><D:exclusive/></D:lockscope>'
    . '<D:locktype><D:write/></D:locktype></D:lockinfo>';
for my $row (
    # method, path, more headers, body, nobody, bert, admin
    [ PUT => '/files/a.txt', [], "one\n", 401, 403, 201 ],
    [ GET => '/files/a.txt', [], undef, 401, 200, 200 ],
    [ PUT => '/files/a.txt', [], "two\n", 401, 403, 204 ],
    [ MKCOL => '/files/sub/', [], undef, 401, 403, 201 ],
    [ COPY => '/files/a.txt', [ Destination => $server->url('/files/sub/b.txt') ], undef, 401, 403, 201 ],
    [ MOVE => '/files/sub/b.txt', [ Destination => $server->url('/files/sub/c.txt') ], undef, 401, 403, 201 ],
    [ PROPFIND => '/files/', [ Depth => 1 ], undef, 401, 207, 207 ],
    [ PROPPATCH => '/files/a.txt', [ 'Content-Type' => 'application/xml' ], '<?xml version="1.0"?><D:propertyupdate xmlns:D="DAV:">'
        . '<D:set><D:prop><x xmlns="urn:x">1</x></D:prop></D:set></D:propertyupdate>', 401, 403, 207 ],
    [ LOCK => '/files/a.txt', [ 'Content-Type' => 'application/xml' ], $lock, 401, 403, 200 ],
    [ DELETE => '/files/sub/', [], undef, 401, 403, 204 ],
) {
    my ($method, $path, $more, $body, @wanted) = @$row;
    my @r = map { dav($method, $path, $_, $body, @$more) } [], \@bert, \@admin;
    is(join(' ', map { $_->{status} } @r), "@wanted", "$method $path: nobody, bert, admin");
}
my $r = dav('LOCK', '/files/l.txt', \@admin, $lock, 'Content-Type' => 'application/xml');
my ($token) = ($r->{headers}{'lock-token'} || [''])->[0] =~ /<(.+)>/;
ok($token, 'a lock');
is(dav('PUT', '/files/l.txt', \@admin, 'x')->{status}, 423, 'what is locked can\'t be written');
is(dav('PUT', '/files/l.txt', \@admin, 'x', If => "(<$token>)")->{status}, 201, 'but with the token');
is(dav('UNLOCK', '/files/l.txt', \@admin, undef, 'Lock-Token' => "<$token>")->{status}, 204, 'and unlocked');
is(slurp("$server->{dir}/htdocs/files/a.txt"), "two\n", 'what was put is there');
is(dav('PUT', '/dav/mine.txt', \@bert, "mine\n")->{status}, 201, 'README\'s example: bert puts');
is(dav('PUT', '/dav/mine.txt', [], "mine\n")->{status}, 401, 'nobody does not');
is(dav('GET', '/dav/mine.txt', \@bert)->{text}, "mine\n", 'and gets');

# --- git ---

my $open = $server->url('/git/shop.git');
my $as = sub { my ($name, $password) = @_; return $open =~ s{//}{//$name:$password@}r };
($status, $said) = run("git ls-remote $open");
isnt($status, 0, 'git: nobody reads');
like($said, qr/Authentication failed|could not read Username/, 'git: and is told so');
($status, $said) = run('git ls-remote ' . $as->('bert', 'Sesame-wrong'));
isnt($status, 0, 'git: nor with a wrong password');
my $clone = $as->('bert', $bert);
($status, $said) = run("cd $work && git clone -q $clone one && cd one && git checkout -q -b main && seq 1 30000 > numbers && git add numbers"
    . ' && git commit -qm first && git push -q origin main');
is($status, 0, 'git: clone and push') or diag($said);
my ($id) = $server->sql("SELECT id FROM account WHERE user_name = 'bert'");
my $pushed = slurp("$work/pushed");
like($pushed, qr/^REMOTE_USER=bert$/m, 'git: the hook knows who');
like($pushed, qr/^ACCOUNT_ID=$id$/m, 'git: and which account');
unlike($pushed, qr/AUTHORIZATION/, 'git: but not the password');
($status, $said) = run("cd $work && git clone -q " . $as->('admin', $admin) . ' two && wc -l < two/numbers');
is("$status $said", "0 30000\n", 'git: somebody else clones it');
($status, $said) = run("cd $work/two && git commit -q --allow-empty -m second && git push -q $open main");
isnt($status, 0, 'git: nobody pushes');

# --- Subversion ---

my $svn = sub {
    my ($name, $password, $what) = @_;
    return run("svn --non-interactive --no-auth-cache --username $name --password $password $what");
};
my $repository = $server->url('/svn');
($status, $said) = run("svn --non-interactive --no-auth-cache ls $repository");
isnt($status, 0, 'svn: nobody reads');
($status, $said) = $svn->('bert', 'Sesame-wrong', "ls $repository");
isnt($status, 0, 'svn: nor with a wrong password');
($status, $said) = $svn->('bert', $bert, "mkdir -m trunk $repository/trunk");
is($status, 0, 'svn: bert commits') or diag($said);
($status, $said) = $svn->('bert', $bert, "co -q $repository/trunk $work/svn && seq 1 1000 > $work/svn/numbers && svn add -q $work/svn/numbers"
    . " && svn --non-interactive --no-auth-cache --username bert --password $bert ci -q -m numbers $work/svn");
is($status, 0, 'svn: checks out and in') or diag($said);
like(slurp_of('svnlook', 'author', "$repositories/svn"), qr/\Abert\n/, 'svn: as bert');

# --- what is behind sees of it ---

my $env = $server->get('/env', headers => {@bert})->{text};
like($env, qr/^REMOTE_USER=bert$/m, 'a script knows who');
like($env, qr/^AUTH_TYPE=Basic$/m, 'and how');
unlike($env, qr/^HTTP_AUTHORIZATION=/m, 'but not the password');
my $behind = $server->get('/behind', headers => {@bert})->{text};
like($behind, qr/^HTTP_AUTHORIZATION=\Q$bert[1]\E$/m, 'what is behind a proxy gets the header');
like($behind, qr/^HTTP_X_ACCOUNT_ID=$id$/m, 'and who it is');
my $clean = $server->get('/clean', headers => {@bert})->{text};
like($clean, qr/^HTTP_X_ACCOUNT_ID=$id$/m, 'RequestHeader unset Authorization: who it is');
unlike($clean, qr/^HTTP_AUTHORIZATION=/m, 'but not the header');
my $jar = Account::Jar->new;
$server->post('/user/login.do', form => { username => 'bert', password => $bert }, cookie => $jar);
my ($fake) = $server->get('/fake', cookie => $jar)->{text} =~ /^HTTP_AUTHORIZATION=Basic (\S+)$/m;
is(decode_base64($fake // ''), 'bert:shared-word', 'AuthBasicFake goes with AuthType Account');

# --- two servers, one database ---

is($_->get('/off/', headers => {@bert})->{status}, 200, 'both know bert, and remember it') for $server, $two, $server, $two;
my $next = canary('Sesame-bert-next');
is($server->post('/user/reset_password.do', cookie => $jar, form => { passwordOld => $bert, passwordNew => $next })->{json}{status}, 0,
    'a new password, at one');
is($two->get('/off/', headers => {@bert})->{status}, 401, 'the old one is refused at the other, at once');
@bert = basic('bert', $bert = $next);
is($two->get('/off/', headers => {@bert})->{status}, 200, 'the new one is not');

# --- the database is gone ---

my $form = Account::Jar->new;
$server->post('/form/in', form => { httpd_username => 'bert', httpd_password => $bert }, cookie => $form);
my $filip = { basic('filip', 'Sesame-filip-file') };
my @asked = (
    [ 'remembered', '/open/', headers => {@bert} ], [ 'wrong', '/open/', headers => { basic('bert', 'Sesame-wrong') } ],
    [ 'unknown', '/open/', headers => { basic('nobody', 'Sesame-wrong') } ], [ 'account file', '/two/', headers => {@bert} ],
    [ 'account file, of the file', '/two/', headers => $filip ], [ 'file account', '/turned/', headers => {@bert} ],
    [ 'not authoritative', '/off/', headers => {@bert} ], [ 'not authoritative, unknown', '/off/', headers => { basic('nobody', 'Sesame') } ],
    [ 'a form\'s session', '/form/', cookie => $form->header ],
);
sub ask { my ($row) = @_; my (undef, $path, @how) = @$row; return $server->get($path, @how, timeout => 20) }
my %right = ('remembered' => 200, 'wrong' => 401, 'unknown' => 401, 'not authoritative, unknown' => 500);
is(ask($_)->{status}, $right{ $_->[0] } // 200, "$_->[0]: before") for @asked;

sub is_503 {
    my ($r, $what) = @_;
    is($r->{status}, 503, "$what: 503");
    like(($r->{headers}{'retry-after'} || [''])->[0], qr/\A[1-9]\d*\z/, "$what: with Retry-After");
    like($r->{text}, qr/503 Service Unavailable/, "$what: and says so");
    is($r->{headers}{'www-authenticate'}, undef, "$what: nobody is asked for another password");
}
$mariadb->kill9;
is_503(ask($_), "killed, $_->[0]") for @asked;
is_503($server->post('/form/in', form => { httpd_username => 'bert', httpd_password => $bert }), 'killed, a form');
is_503(dav('PUT', '/dav/mine.txt', \@bert, "other\n"), 'killed, PUT');
is(slurp("$server->{dir}/srv/dav/mine.txt"), "mine\n", 'killed: nothing was put');
is($server->get('/turned/', headers => $filip)->{status}, 200, 'killed, file account: who is in the file needs no database');
is($server->get('/open/')->{status}, 401, 'killed: nobody is asked for a password');
($status, $said) = run("git ls-remote " . $as->('bert', $bert));
isnt($status, 0, 'killed: git fails');
like($said, qr/503/, 'killed: and says why');
$mariadb->start;
ok(wait_until(10, sub { ask($asked[0])->{status} == 200 }), 'it comes back, and all is well');
sleep 2;
is(ask($_)->{status}, $right{ $_->[0] } // 200, "$_->[0]: after") for @asked;

$mariadb->sigstop;
my $start = time;
is_503(ask($asked[$_]), "frozen, $asked[$_][0]") for 0, 1, 6;
cmp_ok(time - $start, '<', 12, 'frozen: not for long');
$mariadb->sigcont;
ok(wait_until(10, sub { ask($asked[0])->{status} == 200 }), 'it thaws, and all is well');
$_->stop for $server, $two, $backend, $mariadb;
done();
