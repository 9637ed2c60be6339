# A server that sends codes and mailed addresses, and what its peers have got: for tests of delivery.
package Account::Post;
use strict;
use warnings;
use utf8;
use Account::Peers;
use Account::Process qw(spew temp_dir wait_until);
use Account::Server;
use Account::Test ();
use Exporter 'import';
use JSON::PP ();

our @EXPORT = qw($TEMPLATE server mobile email send_code requests_for letters_for arrives code_of count_of line_of);

my $lacks = Account::Peers::lacks_smtp();
die "$lacks: apt-get install python3-aiosmtpd\n" if $lacks;

my $CONTRACT = <<'END';
<AccountContract post>
    AccountReply ok 200 '{"outcome": "ok"}'
    AccountReply *  200 '{"outcome": "%{outcome}"}'
    <AccountRoute code POST /code>
        AccountAction send_code
        AccountSet    purpose register
        AccountParam  target  to
    </AccountRoute>
    <AccountRoute register POST /register>
        AccountAction register_with_code
        AccountSet    purpose  register
        AccountParam  target   to
        AccountParam  code     code
        AccountParam  password password
    </AccountRoute>
    <AccountRoute link POST /link>
        AccountAction send_link
        AccountParam  target to
    </AccountRoute>
</AccountContract>
AccountMount /post post
AccountMount /account links
END

our $TEMPLATE = spew(temp_dir('template') . '/sms.json', <<'END');
{"headers": {"Authorization": "APPCODE t0p-s3cret"},
 "json": {"mobile": "%{to}", "param": {"code": "%{code}", "text": "%{text}"}, "template": "%{template}"},
 "success": {"status": [200], "json": {"code": 0, "data.ok": true}}}
END
Account::Test::canary('t0p-s3cret');

sub server {
    my ($conf, %opt) = @_;
    return Account::Server->new(mounts => $CONTRACT, %opt,
        conf => "AccountPublicURL http://127.0.0.1:\@PORT\@\n$conf\n");
}

my $numbers = 0;
sub mobile { return sprintf '138%08d', 40_000_000 + ++$numbers }
sub email  { return 'person' . ++$numbers . '@example.com' }

sub send_code { my ($server, $to) = @_; return $server->post('/post/code', form => { to => $to }) }

# What a gateway or mail server has got for somebody; waits for the first.
sub requests_for { my ($gateway, $to) = @_; return grep { index($_->{body}, "\"$to\"") >= 0 } $gateway->got }
sub letters_for  { my ($smtp, $to) = @_; return grep { $_->{to}[0] eq $to } $smtp->got }
sub arrives      { my ($seconds, $got) = @_; return wait_until($seconds, sub { my @all = $got->(); @all > 0 }) }

sub code_of {
    my ($request) = @_;
    my $body = JSON::PP->new->utf8->decode($request->{body});
    return Account::Test::canary($body->{param}{code});
}

sub count_of { my ($server, $number) = @_; return scalar(() = $server->error_log =~ /\bAC$number: /g) }
sub line_of { my ($server, $number) = @_; return ($server->error_log =~ /^(.*\bAC$number: .*)$/m)[0] // '' }

1;
