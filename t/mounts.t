# matrix: db
#
# Where AccountMount may stand, and what lies beside it.

use FindBin '$Bin';
use lib "$Bin/lib";
use Account::Test;

my $password = canary('mounts-secret-1');
my %login = (username => 'mounted', password => $password);

my $server = Account::Server->new(
    modules => ['proxy', 'proxy_http', 'include'],
    mounts  => 'AccountMount /user mmall',
    conf    => <<'CONF',
<Directory "@HTDOCS@">
    AllowOverride FileInfo
    Options +Includes
    AddOutputFilter INCLUDES .shtml
</Directory>
<Directory "@HTDOCS@/tenant">
    AccountMount mmall
</Directory>
<Location "/signin">
    AccountMount mmall login
</Location>
<Location "/api">
    AccountMount mmall
</Location>
ErrorDocument 404 /user/logout.do
CONF
    vhost => [<<'MAIN', <<'OTHER', <<'PROXY', <<'HANDLED', <<'MOVED', <<'PASSED'],
ServerName main.test
RewriteEngine On
RewriteRule ^/enter$ /user/login.do [PT]
MAIN
ServerName other.test
AccountRealm other
OTHER
ServerName proxy.test
AccountRealm default
ProxyPass / http://127.0.0.1:@PORT@/
ProxyPreserveHost Off
PROXY
ServerName handled.test
AccountRealm default
Alias /user @HTDOCS@/shop
<Location />
    SetHandler server-status
</Location>
HANDLED
ServerName moved.test
AccountRealm default
Redirect / https://moved.test/
MOVED
ServerName passed.test
AccountRealm default
<Location />
    SetHandler "proxy:http://127.0.0.1:9/"
</Location>
ProxyPass / http://127.0.0.1:9/ mapping=encoded
PASSED
    files => {
        'htdocs/user/page.html'      => 'a static page',
        'htdocs/shop/.htaccess'      => 'AccountMount mmall',
        'htdocs/shop/index.html'     => 'the shop',
        'htdocs/open/.htaccess'      => "AccountMount mmall\nAccountQuerySecrets on",
        'htdocs/greedy/.htaccess'    => 'AccountDatabase sqlite3 /tmp/elsewhere.db',
        'htdocs/wrong/.htaccess'     => 'AccountMount mmal',
        'htdocs/inside/.htaccess'    => "RewriteEngine On\nRewriteRule ^check\$ /user/check_valid.do?type=username [QSA,L]\n",
        'htdocs/included.shtml'      => 'before <!--#include virtual="/user/logout.do" --> after',
        'htdocs/tenant/index.html'   => 'a tenant',
    },
    allow => qr/AH(00124|01071|01626|02811)|AccountDatabase belongs into|there is no contract mmal|unable to include/,
)->start;

sub logs_in {
    my ($where, $reply) = @_;
    is $reply->{status}, 200, "$where: HTTP status";
    is $reply->{json}{status}, 0, "$where: logged in" or diag $reply->{body};
    return $reply->{cookies}{mmall_login_token}{value};
}

is $server->post('/user/register.do', form => { %login, email => 'mounted@example.com' })->{json}{status}, 0,
    'registered';

# --- one route, everywhere ---
logs_in 'server',             $server->post('/user/login.do', form => \%login);
logs_in 'server, GET',        $server->get('/user/login.do', query => \%login);
logs_in 'a route',            $server->post('/signin', form => \%login);
logs_in 'a route, slash',     $server->post('/signin/', form => \%login);
logs_in '<Location>',         $server->post('/api/login.do', form => \%login);
logs_in '<Directory>',        $server->post('/tenant/login.do', form => \%login);
logs_in '.htaccess',          $server->post('/shop/login.do', form => \%login);
logs_in 'a rewritten address', $server->post('/enter', form => \%login);

# --- what lies beside ---
is $server->get('/user/page.html')->{body}, 'a static page', 'a static file beside the routes';
is $server->get('/shop/')->{body}, 'the shop', 'the index beside a mount in .htaccess';
is $server->get('/tenant/')->{body}, 'a tenant', 'the index beside a mount in <Directory>';
is $server->post('/signin/login.do', form => \%login)->{status}, 404, 'a route mounted alone has no children';

# --- secrets in the address of a mount that httpd learns of too late ---
# (this is the leak that README names, so what is sent here is no canary)
my %public = (username => 'mounted', password => 'known-to-the-log');
my $refused = $server->get('/shop/login.do', query => \%public);
is $refused->{status}, 405, '.htaccess: no secrets by GET';
is $refused->{headers}{allow}[0], 'POST', '.htaccess: Allow says POST';
is $server->post('/shop/login.do', query => \%public)->{json}{status}, 1, '.htaccess: nor in the query of a POST';
is $server->get('/open/login.do', query => \%public)->{json}{msg}, '密码错误', '.htaccess with AccountQuerySecrets';

# --- what a tenant may not ---
is $server->get('/greedy/')->{status}, 500, '.htaccess can not choose the database';
like $server->error_log, qr/AccountDatabase belongs into the server/, 'and the log says so';
is $server->get('/wrong/')->{status}, 500, '.htaccess with a misspelt contract';
like $server->error_log, qr/there is no contract mmal \(did you mean mmall\?\)/, 'and the log says what was meant';

# --- requests inside the server change nothing ---
my $jar = Account::Jar->new;
$jar->update($server->post('/user/login.do', form => \%login));
$server->get('/nothing.html', cookie => $jar);
is $server->get('/user/get_user_info.do', cookie => $jar)->{json}{status}, 0, 'an error page logs nobody out';
$server->get('/included.shtml', cookie => $jar);
is $server->get('/user/get_user_info.do', cookie => $jar)->{json}{status}, 0, 'nor does an include';

# --- realms ---
my %other = (headers => { Host => 'other.test' });
is $server->post('/user/login.do', form => \%login, %other)->{json}{status}, 1, 'another realm does not know the account';
is $server->get('/user/get_user_info.do', cookie => $jar, %other)->{json}{status}, 1, 'nor the session';
is $server->post('/user/register.do', form => { %login, email => 'mounted@example.com' }, %other)->{json}{status}, 0,
    'and the name is free there';

# --- an application behind a proxy ---
my %proxy = (headers => { Host => 'proxy.test' });
is $server->get('/user/get_user_info.do', cookie => $jar, %proxy)->{json}{status}, 0, 'a mount wins over ProxyPass /';
is $server->get('/shop/', %proxy)->{body}, 'the shop', 'what is no route goes to the application';

# --- other modules' ways with an address ---
logs_in 'SetHandler and Alias around a mount', $server->post('/user/login.do', form => \%login, headers => { Host => 'handled.test' });
my $moved = $server->get('/user/login.do', query => \%login, headers => { Host => 'moved.test' });
is $moved->{status}, 302, 'a server that is redirected answers nothing itself';
ok !$moved->{cookies}{mmall_login_token}, 'and sets no cookie';
my $with_query = $server->get('/user/check_valid.do?type=username&str=mounted', headers => { Host => 'moved.test' });
like $with_query->{headers}{location}[0], qr/\?type=username&str=mounted\z/, 'the redirect has the query';
logs_in 'proxies around a mount', $server->post('/user/login.do', form => \%login, headers => { Host => 'passed.test' });
is $server->get('/inside/check?str=mounted')->{json}{msg}, '用户已存在', 'a rewrite in a folder brings its query';

# --- two live sessions under one name are none, and logging out ends both ---
my @live = map { logs_in("session $_", $server->post('/user/login.do', form => \%login)) } 1, 2;
canary($_) for @live;
my $both = join '; ', map { "mmall_login_token=$_" } @live;
is $server->get('/user/get_user_info.do', cookie => $both)->{json}{status}, 1, 'two live sessions are none';
is $server->post('/user/logout.do', cookie => $both)->{json}{status}, 0, 'logging out of both';
is $server->get('/user/get_user_info.do', cookie => "mmall_login_token=$_")->{json}{status}, 1, 'ends each'
    for @live;

# --- and so does logging in ---
@live = map { logs_in("session $_", $server->post('/user/login.do', form => \%login)) } 1, 2;
canary($_) for @live;
logs_in 'with both', $server->post('/user/login.do', form => \%login, cookie => join '; ', map { "mmall_login_token=$_" } @live);
is $server->get('/user/get_user_info.do', cookie => "mmall_login_token=$_")->{json}{status}, 1, 'ended each'
    for @live;

# --- a link on another site, followed over plain http: no Sec-Fetch, no Origin, no Referer ---
my %going = ('Upgrade-Insecure-Requests' => '1',
    Accept => 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8');
is $server->get('/user/update_information.do?question=evil', cookie => $jar, headers => \%going)->{status}, 403,
    'a link changes nothing';
is $server->get('/user/get_user_info.do', cookie => $jar, headers => \%going)->{json}{status}, 0, 'but may look';

done();
