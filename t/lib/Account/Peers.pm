# Those whom messages are sent to: private servers on loopback ports of their own, gone with the test.
#
#   my $smtp = Account::Peers::smtp(mode => 'accept', tls => 'starttls', user => 'u', password => 'p');
#   my $gateway = Account::Peers::gateway(mode => 'ok', tls => 1);
#   $smtp->port; $smtp->mode('refuse'); $smtp->got;    # what it wrote down so far: a list of hashes
#   $smtp->certificate;                                # the PEM file that is to be trusted
#   $smtp->end; $smtp->begin;                          # away, and back on the same port
#
# Modes and what is written down: see t/lib/smtp_peer.py and t/lib/http_peer.pl.
package Account::Peers;
use strict;
use warnings;
use Account::Process qw($ROOT temp_dir free_port slurp spew wait_until);
use Carp 'croak';
use IO::Socket::INET;
use JSON::PP ();
use MIME::Base64 'decode_base64';

use constant PYTHON => '/usr/bin/python3';    # Debian's: python3-aiosmtpd is a package of it

# Made for one test: key and certificate in one file, for 127.0.0.1 and localhost.
sub make_certificate {
    my ($file) = @_;
    my $run = Account::Process->spawn(output => "$file.log", limit => 30, command => [
        qw(openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost),
        '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1', '-keyout', "$file.key", '-out', "$file.crt" ]);
    ($run->wait_for(40) // 1) == 0 or croak 'openssl made no certificate: ' . slurp("$file.log");
    return spew($file, slurp("$file.key") . slurp("$file.crt"), 0600);
}

sub smtp {
    my (%opt) = @_;
    my $self = make(%opt, name => 'smtp');
    $self->{command} = [ PYTHON, "$ROOT/t/lib/smtp_peer.py", '--port', $self->{port}, '--messages', $self->{file},
        '--mode', $self->{mode_file},
        $opt{tls} ? ('--tls', $opt{tls}, '--certificate', $self->certificate) : (),
        $opt{user} ? ('--user', $opt{user}, '--password', $opt{password}) : () ];
    return $self->begin;
}

sub gateway {
    my (%opt) = @_;
    my $self = make(%opt, name => 'gateway');
    $self->{command} = [ $^X, "$ROOT/t/lib/http_peer.pl", '--port', $self->{port}, '--requests', $self->{file},
        '--mode', $self->{mode_file} ];
    if ($opt{tls}) {    # in front of it
        @$self{qw(inner port)} = ($self->{port}, free_port());
        $self->{front} = Account::Process->spawn(output => "$self->{dir}/front.log", command => [ PYTHON,
            "$ROOT/t/lib/tls_front.py", '--port', $self->{port}, '--to', $self->{inner}, '--certificate', $self->certificate ]);
    }
    return $self->begin;
}

# Whether smtp() can work here; the text says what is missing.
sub lacks_smtp {
    return system(PYTHON . ' -c "import aiosmtpd" 2>/dev/null') == 0 ? '' : 'python3-aiosmtpd is not installed';
}

sub make {
    my (%opt) = @_;
    my $dir = temp_dir($opt{name});
    my $self = bless { %opt, dir => $dir, file => "$dir/got", mode_file => "$dir/mode", port => free_port() }, __PACKAGE__;
    $self->mode($opt{mode} // ($opt{name} eq 'smtp' ? 'accept' : 'ok'));
    make_certificate($self->certificate) if $opt{tls};
    return $self;
}

sub port        { $_[0]{port} }
sub certificate { "$_[0]{dir}/peer.pem" }

# Changes how it behaves, at once and whole.
sub mode {
    my ($self, $mode) = @_;
    spew("$self->{mode_file}.new", "$mode\n");
    rename "$self->{mode_file}.new", $self->{mode_file} or croak "$self->{mode_file}: $!";
    return $self;
}

sub begin {
    my ($self) = @_;
    $self->{process} = Account::Process->spawn(command => $self->{command}, output => "$self->{dir}/log");
    wait_until(20, sub { $self->answers || !$self->{process}->running }) && $self->{process}->running
        or croak "$self->{name} did not start: " . slurp("$self->{dir}/log");
    return $self;
}

sub answers {
    my ($self) = @_;
    for my $port (grep { defined } @$self{qw(port inner)}) {
        IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port, Timeout => 1) or return 0;
    }
    return 1;
}

sub end {
    my ($self) = @_;
    $self->{process}->end;
    return $self;
}

# Everything that was written down.
sub got {
    my ($self) = @_;
    return map { JSON::PP->new->utf8->decode($_) } split /^/, slurp($self->{file});
}

# A letter as it came -> (headers, by lower-case name and unfolded; the text).
sub letter {
    my ($letter) = @_;
    my ($head, $body) = split /\r?\n\r?\n/, $letter, 2;
    $head =~ s/\r?\n[ \t]+/ /g;
    my %headers = map { /\A([^:]+):\s*(.*)\z/ ? (lc $1 => $2) : () } split /\r?\n/, $head;
    my $text = decode_base64($body // '');
    utf8::decode($text);
    return (\%headers, $text);
}

1;
