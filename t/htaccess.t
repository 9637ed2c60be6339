# matrix: all
#
# What a tenant of shared hosting may write into .htaccess, what not, and what lies beside it there.

use FindBin '$Bin';
use lib "$Bin/lib";
use Account::Test;
use Account::Source 'code';
use Digest::SHA 'sha1';
use MIME::Base64 'encode_base64';

my $password = canary('tenants-secret-1');
my %login = (username => 'tenant', password => $password);

# --- every directive of the server, from the table itself ---

my $table = code(slurp("$ROOT/mod_account/httpd/config.c"), keep => 'strings');
my (%in_server, %misplaced);
while ($table =~ /AP_INIT_(\w+)\(\s*"(<?Account\w+)",([^"]*)"|MISPLACED\("(<?Account\w+)"\)/g) {
    my ($kind, $name, $rest) = ($1, $2 // $4, $3);
    if (!defined $kind) { $misplaced{$name} = 1 }
    elsif ($rest !~ /\b(?:ACCESS_CONF|OR_FILEINFO|OR_AUTHCFG)\b/) {
        $in_server{$name} = { kind => $kind, explained => scalar($rest =~ /\bREFUSED_IN_FOLDERS\b/) };
    }
}
cmp_ok(scalar(keys %in_server), '>=', 30, 'config.c has directives of the server');
my @explained = sort grep { $in_server{$_}{explained} } keys %in_server;
my %harmful = map { $_ => 1 }
    qw(AccountAuditLog AccountDatabase AccountLookup AccountMail AccountPublicURL AccountRealm AccountSecretFile AccountSms);
is("@explained", join(' ', grep { $harmful{$_} } sort keys %in_server), 'those that harm neighbours say why not');

# Arguments that would do harm if they were taken; for the rest, any of the right number.
my %greedy = (
    AccountSecretFile => '@DIR@/stolen.key',
    AccountDatabase   => 'sqlite3 @DIR@/stolen.db',
    AccountRealm      => 'stolen',
    AccountPublicURL  => 'https://stolen.test',
    AccountMail       => 'file:@DIR@/stolen.jsonl',
    AccountSms        => 'file:@DIR@/stolen.jsonl',
    AccountLookup     => 'stolen "SELECT password FROM account WHERE id = %{account.id}"',
    AccountCookieRemove => 'off',
    AccountAllowNavigation => 'on',
    AccountAdminRoles => 'normal_user',
    AccountSessionIdle => '1s',
    AccountBodyLimit  => '1',
    AccountDeviceCookie => 'stolen',
    '<AccountContract' => 'stolen',
);
my %words = (TAKE1 => 'x', TAKE2 => 'x y', FLAG => 'on', RAW_ARGS => 'x', TAKE_ARGV => 'x y');
sub written {
    my ($name) = @_;
    my $line = "$name " . ($greedy{$name} // $words{ ($in_server{$name} || { kind => 'TAKE1' })->{kind} } // 'x');
    return $name =~ /\A<(\w+)/ ? "$line>\n</$1>\n" : "$line\n";
}

sub named { my ($name) = @_; return lc $name =~ s/\A<//r }

# README's, by the file that they are for.
my $readme = slurp("$ROOT/README.md") =~ /^## Shared hosting\n(.*?)^## /ms ? $1 : die "README says nothing of shared hosting\n";
my %readme = map { /\A# (.*)\n/ ? ($1 => $_) : () } $readme =~ /^```apache\n(.*?)^```$/msg;
is(join(' | ', sort keys %readme), "public_html/.htaccess | public_html/members/.htaccess | the server's configuration", 'README: shared hosting');
is(scalar(grep { /^\w/ } map { split /\n/ } @readme{ grep { /htaccess/ } keys %readme }), 5, 'README: five lines');
utf8::decode($readme);
is(join(' ', $readme =~ /in the error log: ([^.]*), as every/), join(', ', @explained) =~ s/, (\w+)\z/ and $1/r, 'README: what is refused');

# WordPress' own lines, as it writes them.
my $wordpress = <<'END';
# BEGIN WordPress
# The directives (lines) between "BEGIN WordPress" and "END WordPress" are
# dynamically generated, and should only be modified via WordPress filters.
# Any changes to the directives between these markers will be overwritten.
<IfModule mod_rewrite.c>
RewriteEngine On
RewriteRule .* - [E=HTTP_AUTHORIZATION:%{HTTP:Authorization}]
RewriteBase /BASE/
RewriteRule ^index\.php$ - [L]
RewriteCond %{REQUEST_FILENAME} !-f
RewriteCond %{REQUEST_FILENAME} !-d
RewriteRule . /BASE/index.php [L]
</IfModule>

# END WordPress
END
sub wordpress { my ($base) = @_; return $wordpress =~ s/BASE/$base/gr }
my %site = map { my $base = $_; map { ("htdocs/$base/$_->[0]" => $_->[1]) }
    [ 'index.php', 'WordPress' ], [ 'wp-content/style.css', 'a style' ] } qw(wp-before wp-after wp-below wp-query wp-rules);

my %refused = map { ('htdocs/greedy/' . named($_) . '/.htaccess' => written($_)) } keys %in_server, keys %misplaced;
my @inside = ('<If "true">', '<Files "*">', '<FilesMatch ".">', '<IfModule account_module>', '<Limit GET>');

my $server = Account::Server->new(
    modules => [ 'proxy', 'proxy_http', 'userdir', 'negotiation', 'autoindex', 'auth_basic', 'authn_file', 'access_compat' ],
    mounts  => <<'CONF',
<AccountContract tiny>
    AccountReply ok 200 '{"ok": true, "mount": "%{mount}"}'
    AccountReply *  200 '{"ok": false, "outcome": "%{outcome}"}'
    <AccountRoute where GET /where>
        AccountAction none
    </AccountRoute>
    <AccountRoute packed GET /packed.fr.gz>
        AccountAction none
    </AccountRoute>
    <AccountRoute deep GET /deep/{value}/here>
        AccountAction check_identifier
        AccountSet    kind user_name
        AccountParam  value value
        AccountReply  free  200 '{"ok": true, "mount": "%{mount}"}'
        AccountReply  taken 200 '{"ok": false}'
    </AccountRoute>
</AccountContract>
AccountMount /user mmall
AccountMail file:@DIR@/mail.jsonl
AccountSms file:@DIR@/sms.jsonl
CONF
    conf => $readme{"the server's configuration"} =~ s{/home/}{\@DIR\@/home/}r . <<'CONF',
AddType text/plain .php
DirectoryIndex index.html index.php
UserDir @DIR@/home/*/public_html
Alias /alias @DIR@/home/emma/public_html
<Directory "@DIR@/home">
    Require all granted
</Directory>
<Directory "@HTDOCS@/only-indexes">
    AllowOverride Indexes
</Directory>
<Directory "@HTDOCS@/only-authconfig">
    AllowOverride AuthConfig
</Directory>
<Directory "@HTDOCS@/only-fileinfo">
    AllowOverride FileInfo
</Directory>
<Directory "@HTDOCS@/nothing">
    AllowOverride None
</Directory>
<Directory "@HTDOCS@/listed">
    AllowOverride None
    AllowOverrideList AccountMount AccountDatabase
</Directory>
<Directory "@HTDOCS@/lenient">
    AllowOverride Nonfatal=All FileInfo
</Directory>
<Directory "@HTDOCS@/lenient-without">
    AllowOverride Nonfatal=All AuthConfig
</Directory>
CONF
    files => {
        %site, %refused,
        map({ ("htdocs/greedy-inside/$_/.htaccess" => "$inside[$_]\nAccountRealm stolen\n" . $inside[$_] =~ s/\A<(\w+).*/<\/$1>\n/r) }
            0 .. $#inside),
        map({ ("htdocs/mount-inside/$_/.htaccess" => "$inside[$_]\nAccountMount tiny\n" . $inside[$_] =~ s/\A<(\w+).*/<\/$1>\n/r) }
            0 .. $#inside),
        'htdocs/mount-elsewhere/.htaccess' => "AccountMount /user mmall\n",

        'htdocs/wp-before/.htaccess' => "AccountMount mmall\n" . wordpress('wp-before'),
        'htdocs/wp-after/.htaccess'  => wordpress('wp-after') . "AccountMount mmall\n",
        'htdocs/wp-below/.htaccess'  => wordpress('wp-below'),
        'htdocs/wp-below/account/.htaccess' => "AccountMount mmall\n",
        'htdocs/wp-query/.htaccess'  => <<'END',
RewriteEngine On
RewriteCond %{REQUEST_FILENAME} !-f
RewriteRule ^(.*)$ index.php?str=tenant&type=username [L]
AccountMount mmall
END
        'htdocs/wp-rules/.htaccess'  => <<'END' . wordpress('wp-rules'),
AccountMount mmall
AccountMount tiny
Redirect 303 /wp-rules/where /wp-rules/elsewhere
RewriteEngine On
RewriteCond %{HTTP_USER_AGENT} evil
RewriteRule ^ - [F]
RewriteCond %{HTTP_USER_AGENT} moved
RewriteRule ^(.*) https://shop.example/$1 [R=301,L]
RewriteCond %{HTTP_USER_AGENT} proxied
RewriteRule ^(.*) http://127.0.0.1:9/$1 [P]
RewriteCond %{HTTP_USER_AGENT} ended
RewriteRule ^(.*) /static.txt [END]
RewriteRule ^free$ check_valid.do?type=username [QSA,L]
RewriteRule ^free-pt$ /wp-rules/check_valid.do?type=username [QSA,PT]
RewriteRule ^free-p$ http://127.0.0.1:@PORT@/user/check_valid.do?type=username [QSA,P]
RewriteRule ^enter$ login.do [L]
END
        'htdocs/fallback/.htaccess'  => "FallbackResource /fallback/index.php\nAccountMount mmall\n",
        'htdocs/fallback/index.php'  => 'the fallback',

        map({ ("home/anna/$_" => $readme{$_}) } grep { /htaccess/ } keys %readme),
        'home/anna/public_html/index.html'        => "Anna's page",
        'home/anna/public_html/signin.html'       => 'sign in here',
        'home/anna/public_html/members/page.html' => 'for members',
        'home/anna/public_html/members/deeper/page.html' => 'for members, deeper',

        'home/emma/public_html/.htaccess'      => "AccountMount tiny\nAccountMount mmall\n",
        'home/emma/public_html/index.html'     => "Emma's page",
        'home/emma/public_html/below/page.txt' => 'below',
        'home/bert/public_html/.htaccess'      => "RewriteEngine Off\n",
        'home/bert/public_html/out/.htaccess'  => "AccountMount mmall logout\n",
        'home/bert/public_html/index.html'     => "Bert's page",
        'home/cora/public_html/.htaccess'      => "AccountRealm default\nAccountMount tiny\n",
        'home/dora/public_html/index.html'     => "Dora's page",

        map({ ("htdocs/$_/.htaccess" => "AccountMount tiny\n", "htdocs/$_/page.html" => 'a page') }
            qw(only-indexes only-authconfig nothing listed lenient-without)),
        'htdocs/listed/secrets/.htaccess'  => "AccountQuerySecrets on\n",
        'htdocs/listed/database/.htaccess' => "AccountDatabase $greedy{AccountDatabase}\n",
        'htdocs/lenient/.htaccess'         => "AccountRealm stolen\nAccountMount tiny\n",

        'htdocs/beside/.htaccess' => <<'END',
AccountMount tiny
AccountMount mmall
Options -Indexes +MultiViews
DirectoryIndex start.html
ErrorDocument 403 "no entry"
ErrorDocument 404 /beside/missing.txt
END
        'htdocs/typed/.htaccess'         => "AccountMount tiny\nAddEncoding x-gzip .gz\nAddLanguage fr .fr\n",
        'htdocs/beside/where.html'       => 'a variant',
        'htdocs/beside/page.html'        => 'a page',
        'htdocs/beside/login.do'         => 'a file',
        'htdocs/beside/missing.txt'      => 'nothing there',
        'htdocs/beside/start.html'       => 'the start',
        'htdocs/beside/empty/x.txt'      => 'x',
        'htdocs/beside/get_user_info.do/index.html' => 'a folder',
        'htdocs/loops/.htaccess'         => "AccountMount mmall\nErrorDocument 404 /loops/logout.do\nErrorDocument 405 /loops/logout.do\n",
        'htdocs/circle/.htaccess'        => "AccountMount mmall\nErrorDocument 404 /circle/nowhere.html\n",
        'htdocs/handled/.htaccess'       => "SetHandler server-status\nAccountMount tiny\n",
        'htdocs/named/.htaccess'         => "SetHandler account\n",
        'htdocs/named/page.html'         => 'a page',

        'htdocs/closed/.htaccess'        => <<'END',
AccountMount mmall
AuthType Account
AuthName Site
Require account
Require expr "%{REQUEST_URI} =~ m#^/closed/(login|register)\.do$#"
AcceptPathInfo On
ErrorDocument 401 /closed/sorry.html
END
        'htdocs/closed/page.html'        => 'closed',
        'htdocs/closed/sorry.html'       => 'sorry',
        'htdocs/whole/.htaccess'         => "AuthType Account\nAuthName Whole\nRequire account\nErrorDocument 401 /whole/api/login.do\n",
        'htdocs/whole/page.html'         => 'whole',
        'htdocs/whole/api/.htaccess'     => "Require all granted\nAccountMount mmall\n",
        'htdocs/asked/.htaccess'         => "AuthType Account\nRequire account\nSetHandler account-forward-auth\n",
        'htdocs/asked/open/.htaccess'    => "AuthType None\nRequire all granted\n",
        'htdocs/satisfied/.htaccess'     => "AuthType Account\nAuthName x\nRequire account\nOrder allow,deny\nAllow from all\nDeny from 127.0.0.2\nSatisfy all\n",
        'htdocs/satisfied/page.html'     => 'satisfied',
        'htdocs/away/.htaccess'          => <<'END',
AuthType Account
AuthName x
Require account
RewriteEngine On
RewriteRule ^set$ /static.txt [E=ACCOUNT_ID:1,E=REMOTE_USER:tenant]
RewriteRule ^to-route$ /user/get_user_info.do [L]
RewriteRule ^to-route-p$ http://127.0.0.1:@PORT@/user/get_user_info.do [P]
RewriteRule ^to-members$ /~anna/members/page.html [L]
RewriteRule ^to-members-pt$ /~anna/members/page.html [PT]
RequestHeader set Cookie "mmall_login_token=invented"
END
        'htdocs/reach/.htaccess'         => "RewriteEngine On\nRewriteRule ^(.*)\$ /~anna/members/\$1 [L]\n",
        'htdocs/text/.htaccess'          => "AuthType Account\nRequire account\nErrorDocument 401 \"sign in first\"\n",
        'htdocs/roles/.htaccess'         => "AuthType Account\nRequire account-role admin\nErrorDocument 403 \"not for you\"\n",
        'htdocs/no-role/.htaccess'       => "AuthType Account\nRequire account-role admim\n",
        'htdocs/only-fileinfo/.htaccess' => "AuthType Account\nRequire account\n",
        'htdocs/basic/.htaccess'         => "AuthType Basic\nAuthName x\nAuthBasicProvider file\nAuthUserFile \@DIR\@/passwords\nRequire account\n",
        'htdocs/mixed/.htaccess'         => "AuthType Account\nAuthName x\nAuthBasicProvider file\nAuthUserFile \@DIR\@/passwords\nRequire account\n",
        'htdocs/basic/page.html'         => 'basic',
        'htdocs/mixed/page.html'         => 'mixed',
        'passwords'                      => 'tenant:{SHA}' . encode_base64(sha1('of-another-file')),
        'htdocs/parts/.htaccess'         => <<'END',
Options +MultiViews
DirectoryIndex index.html
<Files "secret.html">
AuthType Account
Require account
</Files>
<Files "index.html">
AuthType Account
Require account
</Files>
<If "%{REQUEST_URI} =~ m#/hidden#">
AuthType Account
Require account
</If>
RewriteEngine On
RewriteRule ^alias$ secret.html [L]
END
        'home/dora/public_html/.htaccess' => "Header set X-Cookie expr=%{HTTP:Cookie}\n",
        'htdocs/own/.htaccess'           => "AccountMount kalengo\nHeader set X-Cookie expr=%{HTTP:Cookie}\n",
        'htdocs/own/page.html'           => 'a page',
        map({ ("htdocs/parts/$_.html" => "the $_") } qw(secret index hidden open)),
        'htdocs/wp-below/private/.htaccess' => "AuthType Account\nRequire account\n",
        'htdocs/wp-below/private/page.html' => 'private',
        'stolen.key'                     => 'c3RvbGVu' x 6 . "\n",
    },
    allow => qr/AH(?:00124|00125|01630)/,
);
chmod 0600, $server->dir . '/stolen.key';
for ([ 'home/emma/public_html' => 'linked' ], [ 'htdocs/wp-before' => 'linked-wp' ]) {
    symlink $server->dir . "/$_->[0]", $server->dir . "/htdocs/$_->[1]" or die "symlink: $!\n";
}
$server->start;

sub logs_in {
    my ($where, $path, %opt) = @_;
    my $r = $server->post($path, form => \%login, %opt);
    return is($r->{json} ? $r->{json}{msg} : "$r->{status} $r->{body}", '登录成功', "$where: logs in");
}

sub mounted_at {
    my ($where, $path, $mount) = @_;
    my $r = $server->get("$path");
    is($r->{json} ? $r->{json}{mount} : "$r->{status} $r->{body}", $mount, "$where: \%{mount}");
}

is($server->post('/user/register.do', form => { %login, email => 'tenant@example.com' })->{json}{status}, 0, 'registered');

# --- what is refused, and why ---

for my $name (sort keys %in_server, keys %misplaced) {
    my $r = $server->get('/greedy/' . named($name) . '/');
    is($r->{status}, 500, "$name in .htaccess: 500");
    my ($said) = $server->error_log =~ m{^(.*/htdocs/greedy/\Q${\ named($name)}\E/\.htaccess: .*)$}m;
    my $why = $misplaced{$name} ? qr/\Q$name\E belongs inside an <AccountContract>/
        : $in_server{$name}{explained}
        ? qr/\Q$name\E belongs into the server's configuration or a <VirtualHost>\. .*because it holds for all folders .* AccountMount CONTRACT/
        : qr/\Q$name\E>? not allowed (?:here|in)/;
    like($said // '', $why, "$name in .htaccess: the log says so");
    unlike($r->{body}, qr/Account|greedy.*htaccess|stolen/, "$name in .htaccess: the visitor is not told");
}
for (0 .. $#inside) {
    is($server->get("/greedy-inside/$_/")->{status}, 500, "AccountRealm in $inside[$_] of .htaccess: 500");
}

# Each child has read them by now, as far as that can be had; none of them has changed.
for my $round (1 .. 3) {
    concurrent(8, sub { $server->get('/greedy/' . named($_) . '/') for @explained; 1 });
}
my @all = concurrent(8, sub {
    return [ map {
        my $r = $server->post('/user/login.do', form => \%login);
        my $cookie = ($r->{cookies} || {})->{mmall_login_token};
        $r->{json}{status} == 0 && $cookie && !$cookie->{secure} && !$r->{cookies}{stolen}
            && !exists $r->{json}{data}{stolen} ? 'as before' : $r->{body};
    } 1 .. 6 ];
});
is_deeply({ map { $_ => 1 } map { @$_ } @all }, { 'as before' => 1 }, 'the server goes on with its own realm, keys and address');
ok(!-e $server->dir . "/stolen.$_", "no stolen.$_") for qw(db jsonl);

# --- the same in sections of the server's configuration ---

my @sections = ('<Directory "@HTDOCS@">', '<Location "/x">', '<LocationMatch "^/x">', '<Files "x">', '<If "true">', '<Proxy "*">');
for my $name (@explained) {
    my $section = shift @sections;
    push @sections, $section;
    my ($status, $said) = configtest("$section\n" . written($name) . $section =~ s/<(\w+).*/<\/$1>\n/r, db => 'none', account => 1,
        modules => ['proxy'], contracts => 0);
    ok($status && $said =~ /\Q$name\E belongs into the server's configuration or a <VirtualHost>/, "$name in $section")
        or diag($status // 'none', $said);
}

# --- mounts where they can't be ---

for (0 .. 2) {
    is($server->get("/mount-inside/$_/where")->{status}, 500, "AccountMount in $inside[$_] of .htaccess: 500");
}
like($server->error_log, qr{/mount-inside/0/\.htaccess: AccountMount can stand in}, 'and the log says where it can');
mounted_at('in <IfModule> of .htaccess', '/mount-inside/3/where', '/mount-inside/3');
is($server->get('/mount-elsewhere/login.do')->{status}, 500, 'a mount elsewhere: 500');
like($server->error_log, qr{AccountMount takes contract \[route\] here: the path is that of the section}, 'and the log says why');

# --- AllowOverride ---

is($server->get('/only-indexes/where')->{status}, 500, 'AllowOverride Indexes: no mount');
is($server->get('/only-authconfig/where')->{status}, 500, 'AllowOverride AuthConfig: no mount');
is(scalar(() = $server->error_log =~ m{/only-\w+/\.htaccess: AccountMount not allowed here}g), 2, 'and the log says so');
is($server->get('/nothing/where')->{status}, 404, 'AllowOverride None: no mount');
is($server->get('/nothing/page.html')->{body}, 'a page', 'AllowOverride None: the files are there');
mounted_at('AllowOverrideList', '/listed/where', '/listed');
is($server->get('/listed/secrets/')->{status}, 500, 'AllowOverrideList: what is not in it is refused');
is($server->get('/listed/database/')->{status}, 500, 'AllowOverrideList can not let the database in');
like($server->error_log, qr{/listed/database/\.htaccess: AccountDatabase belongs into the server's}, 'and the log says why');
mounted_at('AllowOverride Nonfatal', '/lenient/where', '/lenient');
like($server->error_log, qr{AC00250: line 1 of \S*/lenient/\.htaccess is ignored: AccountRealm belongs into}, 'what is ignored is in the log');
is($server->get('/lenient-without/where')->{status}, 404, 'AllowOverride Nonfatal without FileInfo: no mount');
is($server->get('/lenient-without/page.html')->{body}, 'a page', 'but the files');

# --- WordPress ---

my %free = (query => { type => 'username', str => 'nobody-yet' });
for my $base (qw(wp-before wp-after wp-below linked-wp)) {
    my $mount = $base eq 'wp-below' ? "$base/account" : $base;
    is($server->get("/$base/")->{body}, 'WordPress', "$base: the start page");
    is($server->get("/$base/2026/11/hello-world/")->{body}, 'WordPress', "$base: a post");
    is($server->get("/$base/?p=1")->{body}, 'WordPress', "$base: a post by its number");
    is($server->post("/$base/wp-json/x", form => { a => 1 })->{status}, 200, "$base: what is posted to WordPress");
    is($server->get("/$base/wp-content/style.css")->{body}, 'a style', "$base: a file");
    is($server->get("/$base/login.dox")->{body}, 'WordPress', "$base: nearly a route");
    logs_in($base, "/$mount/login.do");
    is($server->get("/$mount/check_valid.do", %free)->{json}{msg}, '校验成功', "$base: a route with a query");
    is($server->get("/$mount/login.do")->{status}, 405, "$base: no secrets by GET");
}
is($server->get('/wp-query/any/thing')->{body}, 'WordPress', 'a rewrite that makes a query: what is no route');
is($server->get('/wp-query/check_valid.do', %free)->{json}{msg}, '校验成功', 'a rewrite that makes a query: a route has its own');
is($server->post('/wp-query/check_valid.do', form => $free{query})->{json}{msg}, '校验成功', 'and no other');
logs_in('a rewrite that makes a query', '/wp-query/login.do');

# What a rewrite refuses or sends away it does before a mount; what it would fetch from elsewhere, after.
sub as { my ($agent) = @_; return (headers => { 'User-Agent' => $agent }) }
is($server->post('/wp-rules/login.do', form => \%login, as('evil'))->{status}, 403, 'a rewrite to [F]: refused');
my $moved = $server->get('/wp-rules/check_valid.do', %free, as('moved'));
is("$moved->{status} " . ($moved->{headers}{location}[0] // ''),
    '301 https://shop.example/check_valid.do?str=nobody-yet&type=username', 'a rewrite to [R]: sent away, with the query');
is($server->get('/wp-rules/where')->{status}, 303, 'a Redirect: sent away');
logs_in('a rewrite to [P]', '/wp-rules/login.do', as('proxied'));
logs_in('a rewrite to [END]', '/wp-rules/login.do', as('ended'));
is($server->get('/wp-rules/x', as('ended'))->{body}, "a static file\n", '[END] does what it says to the rest');
is($server->get("/wp-rules/$_?str=nobody-yet")->{json}{msg}, '校验成功', "an address that is rewritten to a route: $_")
    for qw(free free-pt free-p);
my $jar = Account::Jar->new;
is($server->post('/wp-rules/enter', form => \%login, cookie => $jar)->{json}, undef, 'but not to one that changes something');
ok(!$jar->get('mmall_login_token'), 'which sets no cookie');
is($server->get('/fallback/any/thing')->{body}, 'the fallback', 'FallbackResource: what is no route');
logs_in('FallbackResource', '/fallback/login.do');
is($server->get('/fallback/check_valid.do', %free)->{json}{msg}, '校验成功', 'FallbackResource: a route with a query');

# --- user directories, links, aliases ---

is($server->get('/~emma/')->{body}, "Emma's page", '/~emma/ has its page');
is($server->get('/~emma/below/page.txt')->{body}, 'below', 'and files');
mounted_at('a user directory', '/~emma/where', '/~emma');
mounted_at('a user directory, a path of several parts', '/~emma/deep/x/here', '/~emma');
mounted_at('a link', '/linked/where', '/linked');
mounted_at('an alias', '/alias/where', '/alias');
is($server->get("$_/below/where")->{status}, 404, "$_: not below") for '/~emma', '/linked', '/alias';
logs_in('a user directory', '/~emma/login.do');
is($server->get('/~emma')->{status}, 301, 'a folder without its slash');
is($server->get('/~bert/where')->{status}, 404, 'what one mounts the other has not');
is($server->post('/~bert/out/')->{json}{msg}, '退出成功', 'one mounts a route alone');
is($server->post('/~bert/out/login.do', form => \%login)->{status}, 404, 'and has no other');
is($server->get('/~bert/')->{body}, "Bert's page", 'and his files are his');
is($server->get('/~cora/where')->{status}, 500, 'what one gets wrong');
mounted_at('does not disturb the other', '/~emma/where', '/~emma');
is($server->get('/~dora/where')->{status}, 404, 'who mounts nothing has nothing');
for my $path ('/~bert/%2e%2e/%2e%2e/anna/public_html/where', '/~bert/../~emma/../~bert/where', '/~bert//where', '/~dora/..%2f~emma/where') {
    isnt($server->get($path)->{status}, 200, "no way around: $path");
}
mounted_at('an address that is not as it should be', '/~dora/../~emma//./where', '/~emma');

# --- beside what else stands in .htaccess ---

mounted_at('MultiViews, and a variant of that name', '/beside/where', '/beside');
my $typed = $server->get('/typed/packed.fr.gz');
is(join(' ', $typed->{json}{mount}, map { $_->[0] } grep { $_ } @{ $typed->{headers} }{qw(content-type content-encoding content-language)}),
    '/typed application/json; charset=utf-8', 'a route is no file: its name says nothing of its type');
is($server->get('/beside/page')->{body}, 'a page', 'MultiViews goes on for the rest');
is($server->get('/beside/')->{body}, 'the start', 'DirectoryIndex');
is($server->get('/beside/empty/')->{body}, 'no entry', 'Options -Indexes, ErrorDocument 403');
my $missing = $server->get('/beside/nothing');
is("$missing->{status} $missing->{body}", '404 nothing there', 'ErrorDocument 404');
logs_in('a file of that name', '/beside/login.do');
is($server->get('/beside/get_user_info.do')->{json}{status}, 1, 'a folder of that name');
my $slash = $server->get('/beside/empty');
is($slash->{status}, 301, 'DirectorySlash for the rest');
is($server->request(PUT => '/beside/login.do')->{json}{msg}, '不支持的请求方法', "a route's 405 is its own");

$jar->update($server->post('/loops/login.do', form => \%login));
ok($jar->get('mmall_login_token'), 'logged in');
is($server->get('/loops/nothing', cookie => $jar)->{status}, 404, 'an error page that logs out');
is($server->get('/loops/logout.dox', cookie => $jar)->{status}, 404, 'and another');
is($server->get('/loops/get_user_info.do', cookie => $jar)->{json}{status}, 0, 'logs nobody out');
is($server->get('/circle/nothing')->{status}, 404, 'an error page that is not there ends');
is($server->get('/handled/where')->{json}{mount}, '/handled', 'SetHandler around a mount');
is($server->get('/named/page.html')->{body}, 'a page', "the handler's name alone does nothing");

# --- the guard, as README has it ---

my %page = (headers => { Accept => 'text/html', 'Sec-Fetch-Mode' => 'navigate' });
sub opens { my ($where, $path, $body, %opt) = @_; return is($server->get($path, %opt)->{body}, $body, "$where: opens") }
sub closed {
    my ($where, $path, %opt) = @_;
    my $r = $server->get($path, %opt);
    return is("$r->{status} " . ($r->{headers}{'www-authenticate'} || ['-'])->[0], "401 $opt{by}", "$where: closed");
}
my %members = (by => 'Account realm="Members"');
$jar = Account::Jar->new;
opens('README', '/~anna/', "Anna's page");
closed('README', "/~anna/members/$_", %members) for qw(page.html deeper/page.html deeper/ nothing.html %70age.html ./page.html);
my $sent = $server->get('/~anna/members/page.html', %page);
is("$sent->{status} $sent->{headers}{location}[0]", '303 /~anna/signin.html?return=%2f%7eanna%2fmembers%2fpage.html',
    'README: a browser is sent to sign in') or diag($sent->{headers}{location}[0]);
opens('README, where browsers are sent', '/~anna/signin.html?return=x', 'sign in here');
logs_in('README', '/~anna/login.do', cookie => $jar);
opens('README, signed in', '/~anna/members/page.html', 'for members', cookie => $jar);
opens('README, signed in', '/~anna/members/deeper/page.html', 'for members, deeper', cookie => $jar);
is($server->get('/~anna/members/login.do')->{status}, 401, 'README: the routes are not below');
is($server->post('/~anna/logout.do', cookie => $jar->header)->{json}{status}, 0, 'README: signs out');
closed('README, signed out', '/~anna/members/page.html', %members, cookie => $jar->header);
is($server->get('/~bert/')->{body}, "Bert's page", 'a neighbour is as before');
is($server->get('/~dora/', cookie => "a=1; mmall_login_token=x; b=2")->{headers}{'x-cookie'}[0], 'a=1; b=2',
    'README: the cookie of what the server mounts is taken out of what neighbours see');
is($server->get('/own/page.html', cookie => "a=1; frontend=x; b=2")->{headers}{'x-cookie'}[0], 'a=1; b=2',
    'and that of what the folder mounts, in the folder');

# --- other ways to guard ---

$jar->clear->update($server->post('/user/login.do', form => \%login));
my %signed_in = (cookie => $jar->header);
my %whole = (by => 'Account realm="Site"');
closed('mount and guard in one folder', "/closed/$_", %whole)
    for qw(page.html page.html/login.do page.html/closed/login.do login.do/x LOGIN.DO), '?/closed/login.do', '%2e/page.html';
is($server->get('/closed/get_user_info.do')->{json}{msg}, '用户未登录,无法获取当前用户信息', 'mount and guard in one folder: a route says it as its contract does');
logs_in('mount and guard in one folder', '/closed/login.do');
opens('mount and guard in one folder', '/closed/page.html', 'closed', %signed_in);
is($server->get('/closed/get_user_info.do', %signed_in)->{json}{status}, 0, 'mount and guard in one folder: a route, signed in');
my $sorry = $server->get('/closed/page.html');    # as with all of httpd's kinds of authentication
is("$sorry->{status} $sorry->{body}", '401 sorry', 'an error page in the closed folder itself');
is($server->get('/text/')->{body}, 'sign in first', 'ErrorDocument 401');
is($server->get('/roles/', %signed_in)->{body}, 'not for you', 'ErrorDocument 403');
is($server->get('/roles/')->{status}, 401, 'a role: nobody is signed in');
is($server->get('/no-role/', %signed_in)->{status}, 500, 'a role that there is not');
like($server->error_log, qr{/no-role/\.htaccess: .*admim is none of AccountRoles \(did you mean admin\?\)}, 'and the log says so');
is($server->get('/only-fileinfo/', %signed_in)->{status}, 500, 'AllowOverride without AuthConfig: no guard');
like($server->error_log, qr{/only-fileinfo/\.htaccess: AuthType not allowed here}, 'and the log says so');

my %basic = (headers => { Authorization => 'Basic ' . encode_base64("tenant:of-another-file", '') });
isnt($server->get('/basic/page.html', %basic)->{status}, 200, "somebody else's password file is no account");
isnt($server->get('/basic/page.html', %signed_in)->{status}, 200, 'nor is a session what AuthType Basic asks for');
closed('AuthType Account with a password file', '/mixed/page.html', by => 'Account realm="x"', %basic);
opens('AuthType Account with a password file', '/mixed/page.html', 'mixed', %signed_in);

closed('a folder with an open one below', '/whole/page.html', by => 'Account realm="Whole"');
logs_in('a folder with an open one below', '/whole/api/login.do');
my $jar_of_whole = Account::Jar->new;
my $error_page = $server->post('/whole/page.html', form => \%login, cookie => $jar_of_whole);
ok($error_page->{status} == 401 && !$jar_of_whole->header, 'an error page that logs in does not');
opens('a folder with an open one below', '/whole/page.html', 'whole', %signed_in);
is($server->get('/asked/')->{status}, 401, 'SetHandler account-forward-auth: asks as the folder does');
is($server->get('/asked/', %signed_in)->{headers}{'x-account-user'}[0], 'tenant', 'and says who it is');
is($server->get('/asked/open/')->{status}, 500, 'but not without AuthType Account and Require');
closed('Satisfy', '/satisfied/page.html', by => 'Account realm="x"');
opens('Satisfy', '/satisfied/page.html', 'satisfied', %signed_in);
is($server->get('/satisfied/page.html', %signed_in, from => '127.0.0.2')->{status}, 403, 'Satisfy: an address that is denied');

closed('a rewrite', "/away/$_", by => 'Account realm="x"') for qw(set to-route to-members);
is($server->get("/away/$_", %signed_in)->{body}, 'for members', "a rewrite into another guarded folder: $_") for qw(to-members to-members-pt);
is($server->get("/away/$_", %signed_in)->{json}{status}, $_ eq 'to-route' ? 0 : 1, "a Cookie that is set on the way: $_") for qw(to-route to-route-p);
is($server->get("/reach/$_")->{status}, 401, "a rewrite around the guard of another folder: $_") for qw(page.html deeper/page.html);

opens('<Files>, <If>: the rest', '/parts/open', 'the open');
for my $path (qw(secret.html secret alias hidden.html hidden), '') {
    my $r = $server->get("/parts/$path");
    ok($r->{status} == ($path eq 'secret' ? 404 : 401) && $r->{body} !~ /\Athe /, "<Files>, <If>: '$path' is closed") or diag($r->{status});
    opens("<Files>, <If>: '$path', signed in", "/parts/$path", 'the ' . ($path =~ /hidden/ ? 'hidden' : $path ? 'secret' : 'index'), %signed_in);
}
is($server->get("/wp-below/private/$_")->{status}, 401, "a guarded folder below WordPress: '$_' is closed") for qw(page.html nothing), '';
opens('a guarded folder below WordPress', '/wp-below/private/page.html', 'private', %signed_in);

# --- one request, two folders, each with cookies of its own ---

my $folders = Account::Server->new(files => {
    'htdocs/from/.htaccess'  => "AccountMount kalengo\nAuthType Account\nAuthName from\nRequire all granted\nErrorDocument 404 /to/page.html\n",
    'htdocs/to/.htaccess'    => "AccountMount youhaosuda\nAuthType Account\nAuthName to\n<Files page.html>\nRequire account\n</Files>\n",
    'htdocs/to/page.html'    => "the members' page\n",
}, conf => "<Directory \@HTDOCS\@>\nAllowOverride All\n</Directory>\nAccountSms file:\@DIR\@/messages.jsonl\n")->start;
$folders->post('/user/register.do', form => { %login, email => 'tenant@example.com' });
my $in_folders = Account::Jar->new;
is($folders->post('/user/login.do', form => {%login}, cookie => $in_folders)->{json}{status}, 0, 'a login');
my $live = $in_folders->get('mmall_login_token');
my ($from, $to) = ('frontend', '_homeland_shop_customer_session');
is($folders->get('/to/page.html', cookie => "$to=$live")->{text}, "the members' page\n", 'a cookie of the folder opens the page there');
is($folders->get('/to/page.html', cookie => "$from=$live")->{status}, 401, "another folder's does not");
my $there = $folders->get('/from/nothing', cookie => "$from=none; $to=$live");
is_deeply([ $there->{status}, $there->{text} ], [ 404, "the members' page\n" ], 'who is sent on from there is asked for the one that counts here');
$there = $folders->get('/from/nothing', cookie => "$from=$live; $to=none");
unlike($there->{text}, qr/members/, 'whichever of the two lives');
$folders->stop;

done();
