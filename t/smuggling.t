# Headers that say who asks come from the server only: more than 500 shapes in which a client could try to bring its own, to
# places with and without a guard. Judged by the bytes that the application got, not by what came back.
# matrix: once
use lib 't/lib';
use Account::Backends 'same_name';
use Account::Process 'free_port';
use Account::Test;
use IO::Select;
use IO::Socket::INET;
use Time::HiRes 'time';

my $echo = Account::Backends::echo();
my $php = Account::Backends::php();
my $back = '127.0.0.1:' . $echo->port;
my $mpm = $ENV{ACCOUNT_MPM} || 'event';
my $h2 = $mpm eq 'event';    # mod_http2 and prefork don't go together
my ($unsafe, $h2c) = (free_port(), free_port());
my $dump = "<?php\nfile_get_contents('php://input');\nfile_put_contents('\@DIR\@/scripts', json_encode(array_filter(\$_SERVER, 'is_string'), "
    . "JSON_INVALID_UTF8_SUBSTITUTE) . \"\\n\", FILE_APPEND);\necho 1;\n";
my $cgi = "#!/usr/bin/perl\nuse JSON::PP;\nread STDIN, my \$all, 100000;\nopen my \$out, '>>', '\@DIR\@/scripts';\n"
    . "syswrite \$out, JSON::PP->new->latin1->encode({%ENV}) . \"\\n\";\nprint \"Content-Type: text/plain\\n\\ndone\\n\";\n";
my $places = "ProxyPass \"/app/\" \"http://$back/app/\"\nProxyPass \"/free/\" \"http://$back/free/\"\n"
    . "<LocationMatch \"^/(app|members)/\">\nAuthType Account\nRequire account\n</LocationMatch>\n";
my $server = Account::Server->new(
    modules => [ qw(proxy proxy_http proxy_fcgi cgid), $h2 ? 'http2' : () ],
    files   => { map { ("htdocs/$_/dump.php" => $dump, "htdocs/$_/dump.cgi" => $cgi) } qw(members open) },
    conf    => $places . <<"END" . ($h2 ? "Listen 127.0.0.1:$h2c\n" : ''),
<FilesMatch "\\.php\$">
    SetHandler "proxy:unix:@{[$php->socket]}|fcgi://localhost/"
</FilesMatch>
<Directory "\@HTDOCS\@">
    Options +ExecCGI
    AddHandler cgi-script .cgi
</Directory>
KeepAliveTimeout 1
ErrorDocument 400 /free/error
ErrorDocument 401 /free/error
ErrorDocument 404 /free/error
Listen 127.0.0.1:$unsafe
END
    vhost => "ServerName strict.test\n",
);
# one server for each way of reading requests
$server->{conf} .= join '', map { my ($address, $name, $lines) = @$_; "<VirtualHost $address>\nServerName $name\n$lines\n</VirtualHost>\n" }
    [ "127.0.0.1:$unsafe", 'unsafe.test', "HttpProtocolOptions Unsafe LenientMethods Allow0.9" ],
    [ "127.0.0.1:$unsafe", 'unsafe-merge.test', "HttpProtocolOptions Unsafe LenientMethods Allow0.9\nMergeTrailers On" ],
    $h2 ? [ "127.0.0.1:$h2c", 'h2.test', "Protocols h2c http/1.1\nMergeTrailers On" ] : ();
$server->{vhost} = [ "ServerName strict.test\n", "ServerName merge.test\nMergeTrailers On\n" ];
$server->write_conf;
chmod 0755, glob $server->dir . '/htdocs/*/*.cgi';
$server->start;

my $jar = Account::Jar->new;
my $password = canary('Sesame-smuggler');
$server->post('/user/register.do', form => { username => 'bert', password => $password, email => 'bert@example.com' });
is($server->post('/user/login.do', form => { username => 'bert', password => $password }, cookie => $jar)->{json}{status}, 0, 'bert is signed in');

# What the application has to get for bert, whatever else is sent; the session's name in it is what it is in the first.
sub ours {
    my ($got) = @_;
    return join "\n", sort map { "$_->[0]: $_->[1]" } grep { same_name($_->[0]) =~ /\Ax-account-/ } Account::Backends::lines_of($got->{head} . $got->{tail});
}
my $right = ours($server->get('/app/first', cookie => $jar)->{json});
is(() = $right =~ /^X-Account-/mg, 8, 'without tricks: eight headers') or diag($right);
is(ours($server->get('/free/first', cookie => $jar)->{json}), '', 'and without a guard none');

# --- the shapes: [what, lines of the header section, (for all of the request) sub] ---

my $V = 'smuggled';
my @shapes;
my @suffixes = qw(Id User Name Role Email Email-Verified Mobile Mobile-Verified Session Timestamp Signature Anything);
sub shape { my ($what, @lines) = @_; push @shapes, { what => $what, head => join '', map { "$_\r\n" } @lines } }

# every name, in every case and with every separator
for my $suffix (@suffixes) {
    my $name = "X-Account-$suffix";
    shape("$_->[0] $suffix", "$_->[1]: $V") for [ plain => $name ], [ lower => lc $name ], [ upper => uc $name ], [ underscores => $name =~ tr/-/_/r ],
        [ 'lower underscores' => lc($name) =~ tr/-/_/r ], [ 'one underscore' => $name =~ s/-/_/r ], [ 'the other underscore' => $name =~ s/-(?!.*-Account)([^-]*)\z/_$1/r ],
        [ dots => $name =~ tr/-/./r ], [ mixed => $name =~ s/(.)(.)/lc($1) . uc $2/ger ];
    shape("no value $suffix", "$name:");
    shape("blank value $suffix", "$name:  \t ");
    shape("no colon $suffix", $name);
    shape("blank before colon $suffix", "$name : $V");
    shape("tab before colon $suffix", "$name\t: $V");
    shape("leading blank, first line $suffix", " $name: $V");
    shape("leading tab $suffix", "\t$name: $V");
    shape("folded behind another $suffix", 'X-Other: a', " $name: $V");
    shape("folded value $suffix", "$name:", " $V", "\t$V");
    shape("twice $suffix", "$name: a", "$name: $V");
    shape("twice, otherwise spelled $suffix", "$name: a", lc($name) =~ tr/-/_/r . ": $V", uc($name) . ": $V");
    shape("Connection $suffix", "Connection: $name, close");
    shape("Connection lower $suffix", 'Connection: keep-alive, ' . lc $name);
    shape("Connection and header $suffix", "Connection: $name", "$name: $V");
    shape("Proxy-Connection $suffix", "Proxy-Connection: $name");
    shape("bare LF $suffix", "X-Other: a\n$name: $V");
    shape("bare CR $suffix", "X-Other: a\r$name: $V");
    shape("NUL $suffix", "X-Other: a\0$name: $V");
    shape("encoded line end $suffix", "X-Other: a%0d%0a$name: $V");
}
# whatever byte stands for a separator, before, within and after the name
for my $byte (0 .. 255) {
    next if $byte == 10 || $byte == 13 || $byte == 58;
    my $c = chr $byte;
    shape(sprintf('byte %02x for both separators', $byte), "X${c}Account${c}Role: $V");
    shape(sprintf('byte %02x before', $byte), "${c}X-Account-Role: $V") if $byte < 33 || $byte > 126 || $byte % 5 == 0;
    shape(sprintf('byte %02x behind', $byte), "X-Account-Role$c: $V") if $byte < 33 || $byte > 126 || $byte % 5 == 0;
}
# lists of Connection
my @lists = map { ("Connection: $_") } 'X-Account-Role', 'close,X-Account-Role', 'close , X-Account-Role', 'close;X-Account-Role', 'close X-Account-Role',
    "close\tX-Account-Role", '"X-Account-Role"', 'close, "X-Account-Role"', '"a\"", X-Account-Role', 'x-account-role', 'X-ACCOUNT-ROLE, X-ACCOUNT-ID', ',,,X-Account-Role', ', , X-Account-Role ,',
    'X-Account-Role;q=1', 'X-Account-Role=1', '(close) X-Account-Role', 'close, X_Account_Role', 'Upgrade, X-Account-Role, X-Account-User, X-Account-Session', 'keep-alive, X-Account-Role, close',
    "close,\x0bX-Account-Role", "close,\x0cX-Account-Role", 'a' x 3000 . ', X-Account-Role', join(',', 'a' .. 'zz', 'X-Account-Role'), '\X-Account-Role', "'X-Account-Role'", '<X-Account-Role>', 'a:X-Account-Role',
    'TE, X-Account-Role', 'Connection, X-Account-Role', 'X-Account-Role: x';
shape("list $_", $lists[$_]) for 0 .. $#lists;
shape('two Connection', 'Connection: close', 'Connection: X-Account-Role');
shape('three Connection', 'Connection: a', 'connection: X-Account-Role', 'CONNECTION: X-Account-User');
shape('Connection folded', 'Connection: close,', ' X-Account-Role');
shape('Keep-Alive', 'Keep-Alive: X-Account-Role=1', 'TE: X-Account-Role', 'Trailer: X-Account-Role');
shape('others that proxies know', "Forwarded: for=1;X-Account-Role=$V", "X-Forwarded-For: 1, X-Account-Role: $V", "Proxy-X-Account-Role: $V", "Proxy-Authorization: X-Account-Role: $V", "Via: X-Account-Role: $V",
    "X-Original-URL: /app/x", "X-Rewrite-URL: /app/x", "X-HTTP-Method-Override: GET");
shape('variables', "Account-Role: $V", "ACCOUNT_ROLE: $V", "REDIRECT_ACCOUNT_ROLE: $V", "HTTP_X_ACCOUNT_ROLE: $V", "Remote-User: $V", "REMOTE_USER: $V");
shape('a long one', 'X-Account-Role: ' . $V x 900);
shape('a hundred', map { "X-Account-N$_: $V" } 1 .. 60);
shape('Upgrade', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA', "Connection: Upgrade, HTTP2-Settings, X-Account-Role", "X-Account-Role: $V");
shape('TLS', 'Upgrade: TLS/1.2', 'Connection: Upgrade, X-Account-Role');

# bodies, trailers, request lines
sub whole { my ($what, $sub) = @_; push @shapes, { what => $what, whole => $sub } }
for my $line ("X-Account-Role: $V", "x_account_role: $V", "X.Account.Role: $V", " X-Account-Role: $V", "X-Account-Role : $V", 'Connection: X-Account-Role', "X-Other: a\r\n X-Account-Role: $V",
    "X-Account-Mobile: $V", "X-Account-Id: $V\r\nX-Account-Id: 2", "X-Other: fine") {
    whole("trailer $line", sub { "POST $_[0] HTTP/1.1\r\n$_[1]Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n$line\r\n\r\n" });
    whole("announced trailer $line", sub { "POST $_[0] HTTP/1.1\r\n$_[1]Transfer-Encoding: chunked\r\nTrailer: X-Account-Role\r\nTE: trailers\r\nConnection: TE\r\n\r\n0\r\n$line\r\n\r\n" });
    whole("chunk extension $line", sub { "POST $_[0] HTTP/1.1\r\n$_[1]Transfer-Encoding: chunked\r\n\r\n3;$line\r\nabc\r\n0\r\n\r\n" });
    whole("HTTP/1.0 $line", sub { "GET $_[0] HTTP/1.0\r\n$_[1]$line\r\n\r\n" });
    whole("HTTP/1.1, lines end with LF, $line", sub { "GET $_[0] HTTP/1.1\n$_[1]$line\n\n" =~ s/\r\n/\n/gr });
    whole("absolute $line", sub { "GET http://$_[2]$_[0] HTTP/1.1\r\n$_[1]$line\r\n\r\n" });
    whole("line end in the path $line", sub { "GET $_[0]%0d%0a$line HTTP/1.1\r\n$_[1]\r\n" =~ s/\r\n(?=X-Account-Id: 2| X-Acc)//r });
    whole("in the query $line", sub { 'GET ' . $_[0] . '?a=%20HTTP/1.1%0d%0a' . ($line =~ s/[\r\n ]+/%20/gr) . " HTTP/1.1\r\n$_[1]\r\n" });
    whole("a second request $line", sub { "GET $_[0] HTTP/1.1\r\n$_[1]\r\nGET $_[0] HTTP/1.1\r\n$_[1]Connection: close\r\n$line\r\n\r\n" });
    whole("a second request in a body $line", sub { my $inner = "GET $_[0] HTTP/1.1\r\n$_[1]$line\r\n\r\n"; "POST $_[0] HTTP/1.1\r\n$_[1]Content-Length: " . length($inner) . "\r\n\r\n$inner" });
    whole("both lengths $line", sub { "POST $_[0] HTTP/1.1\r\n$_[1]Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET $_[0] HTTP/1.1\r\n$_[1]$line\r\n\r\n" });
    for my $te ('xchunked', ' chunked', 'chunked, identity', 'identity, chunked', 'chunked;x', "\x0bchunked", '"chunked"', 'Chunked', "chunked\r\nTransfer-Encoding: x", "x\r\n chunked") {
        whole("Transfer-Encoding:$te $line", sub { "POST $_[0] HTTP/1.1\r\n$_[1]Transfer-Encoding:$te\r\nContent-Length: 5\r\n\r\n0\r\n\r\nGET $_[0] HTTP/1.1\r\n$_[1]$line\r\n\r\n" })
            if $line =~ /\AX-Account-Role: /;
    }
    whole("HTTP/0.9 $line", sub { "GET $_[0]\r\n$line\r\n\r\n" });
}
cmp_ok(scalar @shapes, '>=', 500, scalar(@shapes) . ' shapes');

# --- sent ---

my $cookie = $jar->header;
my $number = 0;
my %what;
my $sent = 0;
sub request_of {
    my ($shape, $path, $host, $port) = @_;
    my $id = ++$number;
    $what{$id} = "$shape->{what}: $path at $host";
    my $base = "Host: $host\r\nCookie: $cookie\r\n" . ($shape->{what} =~ /second request/ ? '' : $shape->{what} =~ /Connection|list|TE|announced/i ? '' : "Connection: close\r\n");
    my $target = "$path$id";
    return $shape->{whole}->($target, $base, "$host:$port") if $shape->{whole};
    return "GET $target HTTP/1.1\r\n$shape->{head}$base\r\n";
}

# Sends all, says so, and reads what comes.
sub said {
    my ($port, $bytes) = @_;
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port, Timeout => 5) or return '';
    local $SIG{PIPE} = 'IGNORE';
    my $reply = '';
    syswrite $socket, $bytes;
    $socket->shutdown(1);
    my $select = IO::Select->new($socket);
    while ($select->can_read(5)) { sysread $socket, $reply, 65536, length $reply or last }
    return $reply;
}

sub send_all {
    my ($port, $host, $paths, @of) = @_;
    my @work = map { my $shape = $_; map { request_of($shape, $_, $host, $port) } @$paths } @of;
    $sent += @work;
    my $start = time;
    my @silent = map { @$_ } concurrent(4, sub {
        my ($lane) = @_;
        my @bad;
        for my $i (grep { $_ % 4 == $lane } 0 .. $#work) {
            push @bad, substr $work[$i], 0, 60 if !length said($port, $work[$i]);
        }
        return \@bad;
    }, 200);
    diag(sprintf '%s: %d requests, %.1f s', $host, scalar @work, time - $start) if $ENV{ACCOUNT_LONG};
    return @silent;
}

# What arrived that isn't the server's own: by the application's bytes.
sub judge {
    my ($name) = @_;
    my (@forged, @lost, $count, $guarded);
    for my $got ($echo->got) {
        my ($path, $id) = $got->{head} =~ m{\A\S+ (?:http://[^/]*)?(/\w+/)(\d+)};
        my $what = $id && $what{$id} || substr $got->{head}, 0, 100;
        $count++;
        my $is = ours($got);
        $guarded++ if $got->{head} =~ m{\A\S+ (?:http://[^/]*)?/app/};
        next if $is eq ($got->{head} =~ m{\A\S+ (?:http://[^/]*)?/app/} ? $right : '');
        push @{ $is =~ /^X-Account-(?!Id|User|Name|Role|Email|Mobile|Session)|\Q$V\E/m || !$guarded ? \@forged : \@lost }, "$what\n$is";
    }
    is_deeply(\@forged, [], "$name: none of $count requests arrives with such a header");
    is_deeply(\@lost, [], "$name: none of $guarded guarded ones lacks the server's own");
    cmp_ok($guarded, '>', 100, "$name: most arrive");
    $echo->forget;
}

for my $row ([ 'as it comes', $server->port, 'strict.test' ], [ 'MergeTrailers', $server->port, 'merge.test' ], [ 'HttpProtocolOptions Unsafe', $unsafe, 'unsafe.test' ],
    [ 'Unsafe and MergeTrailers', $unsafe, 'unsafe-merge.test' ]) {
    my ($name, $port, $host) = @$row;
    $echo->forget;
    my @silent = send_all($port, $host, [ '/app/', '/free/' ], @shapes);
    ok(!@silent, "$name: each is answered") or diag(join "\n", @silent);
    judge($name);
}

# --- scripts, of which some read the body first ---

my $scripts = $server->dir . '/scripts';
sub judge_scripts {
    my ($name, $least) = @_;
    my (@wrong, $count);
    my %want = map { my ($name, $value) = /\A([^:]+): (.*)/; ('HTTP_' . uc($name =~ tr/-/_/r) => $value) } split /\n/, $right;
    for (split /^/, slurp($scripts)) {
        my $got = JSON::PP->new->decode($_);
        my %is = map { $_ => $got->{$_} } grep { /\A(?:REDIRECT_)*HTTP_X_ACCOUNT_/ } keys %$got;
        my %should = $got->{SCRIPT_NAME} =~ m{/members/} ? %want : ();
        $count++;
        push @wrong, [ $got->{QUERY_STRING}, \%is ] if JSON::PP->new->canonical->encode(\%is) ne JSON::PP->new->canonical->encode(\%should)
            || grep { /\A(?:REDIRECT_)?ACCOUNT_/ && $got->{$_} =~ /$V/ } keys %$got;
    }
    is_deeply(\@wrong, [], "$name: $count runs of scripts see what the server says");
    cmp_ok($count, '>', $least, "$name: as many as that");
    unlink $scripts;
}
my @some = grep { $_->{whole} || $_->{what} =~ /Role|list|byte (?:2|5|f)|two|three|variables/ } @shapes;
for my $row ([ 'scripts', $server->port, 'strict.test' ], [ 'scripts, MergeTrailers', $server->port, 'merge.test' ], [ 'scripts, Unsafe, MergeTrailers', $unsafe, 'unsafe-merge.test' ]) {
    my ($name, $port, $host) = @$row;
    my @silent = send_all($port, $host, [ '/members/dump.php?', '/open/dump.php?' ], @some);
    ok(!@silent, "$name: each is answered") or diag(join "\n", @silent);
    judge_scripts("$name: PHP-FPM", 100);
    send_all($port, $host, [ '/members/dump.cgi?', '/open/dump.cgi?' ], grep { $_->{whole} || $_->{what} =~ /two|variables|underscores Role/ } @some);
    judge_scripts("$name: CGI", 50);
}

# --- HTTP/2 ---

SKIP: {
    skip 'mod_http2 does not work with prefork', 4 if !$h2;
    $echo->forget;
    my @spellings = map { my $how = $_; [ map { lc($_) =~ s/-/$how/gr } map { "X-Account-$_" } @suffixes ] } '-', '_', '.', "'";
    my $run = sub {
        my ($path, @options) = @_;
        my $done = Account::Process->spawn(output => $server->dir . '/nghttp', limit => 30, command => [ 'nghttp', '-n', '-H', ':authority: h2.test', '-H', "cookie: $cookie", @options, "http://127.0.0.1:$h2c$path" ]);
        $done->wait_for(40);
    };
    spew($server->dir . '/body', 'abc');
    for my $path ('/app/', '/free/') {
        for my $names (@spellings) {
            $run->($path . ++$number, map { ('-H', "$_: $V") } @$names);
            $run->($path . ++$number, '-d', $server->dir . '/body', map { ('--trailer', "$_: $V") } @$names);
        }
        $run->($path . ++$number, '-H', "connection: X-Account-Role");
        $run->($path . ++$number, '-u');
    }
    my $h2_count = grep { 1 } $echo->got;
    my @wrong = map { substr($_->{head}, 0, 40) . "\n" . ours($_) } grep { ours($_) ne ($_->{head} =~ m{\A\S+ /app/} ? $right : '') } $echo->got;
    is_deeply(\@wrong, [], "HTTP/2: none of $h2_count requests arrives with such a header or without the server's own");
    cmp_ok($h2_count, '>=', 12, 'HTTP/2: most arrive');
    $run->('/members/dump.php', '-d', $server->dir . '/body', '--trailer', "x-account-role: $V");
    $run->('/open/dump.php', '-d', $server->dir . '/body', '--trailer', "x-account-role: $V");
    judge_scripts('HTTP/2, trailers', 1);
}
# --- another virtual host without accounts, in front of the same application; RequestHeader is the server's ---

my $module = $ENV{ACCOUNT_MODULE} || "$ROOT/.libs/mod_account.so";
my $accounts = "AccountSecretFile @{[$server->dir]}/account.key\nAccountDatabase sqlite3 \@DIR\@/account.db\n";
for my $row ([ $accounts, 'X-Account-Note: early', 'beside one with accounts: removed' ], [ '', "X-Account-Note: early\nX-Account-Role: $V", 'where there are no accounts at all: none of our business' ]) {
    my ($lines, $arrives, $what) = @$row;
    my $split = Account::Server->new(account => 0, db => 'none', modules => [qw(proxy proxy_http)],
        conf  => "LoadModule account_module $module\nProxyPass /free/ http://$back/free/\nRequestHeader set X-Account-Note early early\n",
        vhost => [ "ServerName plain.test\n", "ServerName accounts.test\n$lines" ])->start;
    is(ours($split->get('/free/0', headers => { Host => 'plain.test', 'X-Account-Role' => $V })->{json}), $arrives, "a virtual host without accounts, $what");
    $split->stop;
}
cmp_ok($sent, '>', 5000, "$sent requests");
done();
