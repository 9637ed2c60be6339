# What goes on beside the requests: messages leave soon, through one gateway whatever becomes of another, and a server
# that stops does not wait for one that hangs.
# matrix: all

use FindBin '$Bin';
use lib "$Bin/lib";
use Account::Process 'free_port';
use Account::Test;
use IO::Socket::INET;
use JSON::PP ();
use Time::HiRes qw(time sleep);

my $contract = <<'END';
<AccountContract c>
    AccountReply ok 200 '{"ok": true}'
    AccountReply *  400 '{"error": "%{outcome}"}'
    <AccountRoute sms POST /sms>
        AccountAction send_code
        AccountSet    purpose any
        AccountParam  target to is=mobile
    </AccountRoute>
    <AccountRoute mail POST /mail>
        AccountAction send_code
        AccountSet    purpose any
        AccountParam  target to is=email
    </AccountRoute>
</AccountContract>
AccountMount /c c
AccountLimit send-interval off
AccountLimit send-target off
AccountLimit send-address off
AccountLimit send-network off
END
my $mail = qq[AccountMail file:\@DIR\@/mail.jsonl\n];
my $template = '{"json": {"phone": "%{to}", "code": "%{code}", "link": "%{link}"}, "success": {"status": [200]}}';
my $number = 0;

sub lines { my ($server, $name) = @_; return map { JSON::PP::decode_json($_) } split /\n/, slurp($server->dir . "/$name") }

# Whether a message to somebody stands in the file within so many seconds; its code is a secret.
sub arrives {
    my ($server, $file, $to, $seconds) = @_;
    my $found;
    wait_until($seconds, sub { ($found) = grep { $_->{to} eq $to } lines($server, $file) });
    canary($found->{code}) if $found;
    return $found;
}
sub send_to { my ($server, $to) = @_; return $server->post($to =~ /@/ ? '/c/mail' : '/c/sms', form => { to => $to }) }
sub somebody { return sprintf 'somebody%d@example.com', ++$number }
sub error_lines { my ($server, $text) = @_; return scalar grep { /$text/ } split /\n/, $server->logs->{error_log} }

# A gateway that takes connections and says nothing.
my $silent = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 50) or die;
my $hanging = 'AccountSms http://127.0.0.1:' . $silent->sockport . "/send \@DIR\@/sms.json\n";

# --- one gateway hangs ---

my $server = Account::Server->new(mounts => '', files => { 'sms.json' => $template }, conf => $contract . $mail . $hanging)->start;
my $r = send_to($server, '13800138000');
is($r->{status}, 200, 'a code is on its way to a gateway that hangs') or diag($r->{text});
my $asking;    # stays open
ok(wait_until(5, sub { $silent->blocking(0); $asking = $silent->accept }), 'it was asked');
my $to = somebody();
my $start = time;
is(send_to($server, $to)->{status}, 200, 'another one by mail');
my $message = arrives($server, 'mail.jsonl', $to, 5);
ok($message, 'which is there while the gateway hangs') or diag(slurp($server->dir . '/mail.jsonl'));
cmp_ok(time - $start, '<', 4, 'and soon');
is(ref $message && "$message->{channel} $message->{template}", 'mail code-any', 'with its text');
like(ref $message && $message->{text}, qr/\Q$message->{code}\E/, 'in which the code is');
my @to = map { somebody() } 1 .. 30;
is(send_to($server, $_)->{status}, 200, 'and many') for @to;
ok(arrives($server, 'mail.jsonl', $_, 10), 'all there') for @to;
my %times;
$times{ $_->{to} }++ for lines($server, 'mail.jsonl');
is(join(' ', grep { $times{$_} != 1 } sort keys %times), '', 'each once');

# --- the server stops meanwhile ---

is(send_to($server, '13800138001')->{status}, 200, 'one more to the gateway that hangs');
sleep 1;
$start = time;
$server->stop;
cmp_ok(time - $start, '<', 5, 'a server whose gateway hangs stops');
$server->{conf} =~ s/^AccountSms .*/AccountSms file:\@DIR\@\/sms.jsonl/m or die;
$server->write_conf->start;
ok(arrives($server, 'sms.jsonl', $_, 20), "what did not go out goes out afterwards, to $_") for '13800138000', '13800138001';

$server->{conf} =~ s/^AccountSms .*\n/$hanging/m or die;
$server->write_conf;
kill USR1 => $server->pid;
ok(wait_until(10, sub { error_lines($server, 'AH0(?:0493|0173)|Graceful restart requested') }), 'a graceful restart');
sleep 2;
is(send_to($server, '13800138002')->{status}, 200, 'one to the gateway that hangs again');
sleep 2;
$server->{conf} =~ s/^AccountSms .*/AccountSms file:\@DIR\@\/sms.jsonl/m or die;
$server->write_conf;
kill USR1 => $server->pid;
ok(arrives($server, 'sms.jsonl', '13800138002', 30), 'the next generation delivers what the last one could not');
$to = somebody();
send_to($server, $to);
ok(arrives($server, 'mail.jsonl', $to, 15), 'and what is new');
$server->stop;

# --- a gateway is not there, and comes ---

my $port = free_port();
my $known = error_lines($server, 'AC00185');    # of the gateway that hung
$server->{conf} =~ s/^AccountSms .*/AccountSms http:\/\/127.0.0.1:$port\/send \@DIR\@\/sms.json/m or die;
$server->write_conf->start;
is(send_to($server, '13800138003')->{status}, 200, 'a code to a gateway of which nothing is known');
ok(wait_until(10, sub { error_lines($server, 'AC00185') > $known }), 'is not to be had: the log says so');
ok(wait_until(10, sub { send_to($server, '13800138004')->{status} == 503 }), 'and the next one is told at once');
$r = send_to($server, '13800138004');
is($r->{text}, '{"error":"unavailable"}', 'in the contract\'s words');
ok($r->{headers}{'retry-after'}, 'with Retry-After');
ok(error_lines($server, 'AC00220: c sms: unavailable, messages can\'t be delivered'), 'the log says why, as information');
is(send_to($server, somebody())->{status}, 200, 'mail is not concerned');
sleep 4;
is(error_lines($server, 'AC00185') - $known, 1, 'one line, however often it was tried');

my $gateway = fork // die;
if (!$gateway) {
    Account::Process::forget();
    alarm 90;
    my $listen = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $port, Listen => 10, ReuseAddr => 1) or POSIX::_exit(1);
    while (my $client = $listen->accept) {
        my $request = '';
        1 while $request !~ /\r\n\r\n.*\}/s && sysread $client, $request, 4096, length $request;
        spew($server->dir . '/gateway.log', slurp($server->dir . '/gateway.log') . $request =~ s/.*\r\n\r\n//sr . "\n");
        syswrite $client, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";
        close $client;
    }
    POSIX::_exit(0);
}
ok(wait_until(60, sub { error_lines($server, 'AC00186') }), 'when it is there the log says so');
my %asked;
ok(wait_until(30, sub { %asked = map { $_->{phone} => $_->{code} } lines($server, 'gateway.log'); $asked{13800138003} }), 'and it gets the message');
canary($_) for values %asked;
is(send_to($server, '13800138005')->{status}, 200, 'codes are sent again');
kill TERM => $gateway;
waitpid $gateway, 0;
$server->stop;

# --- more ways than threads ---

$server = Account::Server->new(mounts => '', loglevel => 'debug', conf => "$contract${mail}AccountSms file:\@DIR\@/sms.jsonl\n",
    vhost => [ map { "ServerName way$_.example\nAccountRealm way$_\nAccountSms file:\@DIR\@/way$_.jsonl" } 1 .. 11 ])->start;
for (1 .. 11) {
    $r = $server->post('/c/sms', form => { to => "138001381$_" . ($_ < 10 ? '0' : '') }, headers => { Host => "way$_.example" });
    is($r->{status}, 200, "a code by way $_ of eleven") or diag($r->{text});
}
ok(arrives($server, "way$_.jsonl", "138001381$_" . ($_ < 10 ? '0' : ''), 10), "arrives by way $_") for 1 .. 11;
my %threads = map { $_ => 1 } $server->logs->{error_log} =~ /Created child worker thread \((_account_delivery_\d+_)\)/g;
is(scalar keys %threads, 8, 'eight threads deliver') or diag(join ' ', %threads);
$server->stop;
done();
