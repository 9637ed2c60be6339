# HTTP from the outside: exact bytes out, everything that came back, never longer than a time-out.
# Not HTTP::Tiny: tests send wrong Host, double and broken headers and want each Set-Cookie.
package Account::Client;
use strict;
use warnings;
use IO::Select;
use IO::Socket::INET;
use JSON::PP ();
use Time::HiRes 'time';

my $json = JSON::PP->new->utf8->canonical->allow_nonref;

# Sends the bytes and reads until the server closes. (reply, undef) or (what came, error). from: the client's address,
# any of 127.0.0.0/8.
sub exchange {
    my ($port, $bytes, $timeout, $from) = @_;
    my $until = time + $timeout;
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port, Timeout => $timeout,
        defined $from ? (LocalAddr => $from) : ())
        or return ('', "no connection: $@");
    local $SIG{PIPE} = 'IGNORE';
    $socket->blocking(0);
    my $select = IO::Select->new($socket);
    my $reply = '';
    while (1) {
        my $left = $until - time;
        return ($reply, "timed out after $timeout s") if $left <= 0;
        my ($read, $write) = IO::Select->select($select, length $bytes ? $select : undef, undef, $left);
        if ($write && @$write) {
            my $sent = syswrite $socket, $bytes;
            if (defined $sent)    { substr($bytes, 0, $sent) = '' }
            elsif (!$!{EAGAIN})   { $bytes = '' }                    # it may have answered before it closed
        }
        if ($read && @$read) {
            my $got = sysread $socket, $reply, 65536, length $reply;
            return ($reply, undef) if defined $got && !$got;
            return ($reply, "connection lost: $!") if !defined $got && !$!{EAGAIN};
        }
    }
}

sub escape {
    my ($text) = @_;
    utf8::encode($text) if utf8::is_utf8($text);
    $text =~ s/([^A-Za-z0-9_.~-])/sprintf '%%%02X', ord $1/ge;
    return $text;
}

# {name => value} (in order of names) or [name => value, ...] (as it stands, names may repeat)
sub form_encode {
    my ($form) = @_;
    my @pairs = ref $form eq 'ARRAY' ? @$form : map { $_ => $form->{$_} } sort keys %$form;
    my @out;
    while (my ($name, $value) = splice @pairs, 0, 2) { push @out, escape($name) . '=' . escape($value // '') }
    return join '&', @out;
}

sub build {
    my ($port, $method, $path, %opt) = @_;
    my $body = $opt{body};
    my %default = (Host => "127.0.0.1:$port", Connection => 'close', 'User-Agent' => 'account-test');
    if ($opt{form}) {
        $body = form_encode($opt{form});
        $default{'Content-Type'} = 'application/x-www-form-urlencoded';
    }
    elsif (exists $opt{json}) {
        $body = $json->encode($opt{json});
        $default{'Content-Type'} = 'application/json';
    }
    $path .= ($path =~ /\?/ ? '&' : '?') . form_encode($opt{query}) if $opt{query};
    if (my $cookie = $opt{cookie}) {
        $cookie = $cookie->header if ref $cookie;
        $default{Cookie} = $cookie if length $cookie;
    }
    utf8::encode($body) if defined $body && utf8::is_utf8($body);
    $default{'Content-Length'} = length $body if defined $body;

    my %given = %{ $opt{headers} || {} };    # undef takes a default header away, [..] sends several
    my %replaced = map { lc $_ => 1 } keys %given;
    delete $default{$_} for grep { $replaced{ lc $_ } } keys %default;
    my @lines;
    for my $set (\%default, \%given) {
        for my $name (sort keys %$set) {
            my @values = ref $set->{$name} ? @{ $set->{$name} } : $set->{$name};
            push @lines, map { "$name: $_\r\n" } grep { defined } @values;
        }
    }
    my $head = join '', "$method $path HTTP/1.1\r\n", @lines, "\r\n";
    utf8::encode($head) if utf8::is_utf8($head);
    return $head . ($body // '');
}

sub parse {
    my ($method, $bytes) = @_;
    my %r = (status => 0, reason => '', headers => {}, cookies => {}, body => '');
    1 while $bytes =~ s{\AHTTP/1\.1 1\d\d .*?\r\n\r\n}{}s;
    (my $head, $bytes) = split /\r\n\r\n/, $bytes, 2;
    my ($first, @lines) = split /\r\n/, $head // '';
    ($first // '') =~ m{\AHTTP/1\.[01] (\d{3}) ?(.*)\z} or return \%r;
    @r{qw(status reason)} = ($1, $2);
    $bytes //= '';
    for (@lines) {
        my ($name, $value) = /\A([^:]+):\s*(.*?)\s*\z/s or next;
        push @{ $r{headers}{ lc $name } }, $value;
    }
    for (@{ $r{headers}{'set-cookie'} || [] }) {
        my ($name, $value, $rest) = /\A\s*([^=;]+)=([^;]*)(.*)\z/s or next;
        my %attribute = map { /\A\s*([^=]+?)(?:=(.*))?\z/s ? (lc $1 => $2 // 1) : () } split /;/, $rest;
        $r{cookies}{$name} = { %attribute, value => $value };
    }
    if ($method eq 'HEAD') { $r{body} = $bytes }    # must be empty, and a test can see it
    elsif (lc(($r{headers}{'transfer-encoding'} || [''])->[0]) eq 'chunked') {
        while ($bytes =~ s/\A([0-9A-Fa-f]+)[^\r\n]*\r\n//) {
            my $size = hex $1 or last;
            $r{body} .= substr $bytes, 0, $size, '';
            $bytes =~ s/\A\r\n//;
        }
    }
    elsif (defined(my $length = ($r{headers}{'content-length'} || [])->[0])) { $r{body} = substr $bytes, 0, $length }
    else                                                                     { $r{body} = $bytes }
    utf8::decode($r{text} = $r{body});
    $r{json} = eval { $json->decode($r{body}) };
    return \%r;
}

# request($port, 'POST', '/path', query/form/json/body/headers/cookie/timeout/from)
# -> {status, reason, headers => {lower-case => [..]}, cookies => {name => {value, path, httponly, ..}},
#     body (bytes), text (characters), json (or undef), seconds, error (and status 0) when no reply came}
sub request {
    my ($port, $method, $path, %opt) = @_;
    my $start = time;
    my ($bytes, $error) = exchange($port, build($port, $method, $path, %opt), $opt{timeout} // 10, $opt{from});
    my $r = parse($method, $bytes);
    $r->{seconds} = time - $start;
    if (defined $error || !$r->{status}) {
        $r->{status} = 0;
        $r->{error} = $error // 'no HTTP reply';
    }
    $opt{cookie}->update($r) if ref $opt{cookie};
    return $r;
}

# A cookie jar for one host and path: what the replies set is sent with the next request.
package Account::Jar;

sub new { my ($class, %cookies) = @_; return bless {%cookies}, $class }
sub get { $_[0]{ $_[1] } }
sub set { my ($self, $name, $value) = @_; $self->{$name} = $value; return $self }
sub clear { %{ $_[0] } = (); $_[0] }
sub header { my ($self) = @_; return join '; ', map { "$_=$self->{$_}" } sort keys %$self }

sub update {
    my ($self, $response) = @_;
    for my $name (keys %{ $response->{cookies} }) {
        my $cookie = $response->{cookies}{$name};
        my $gone = !length $cookie->{value} || defined $cookie->{'max-age'} && $cookie->{'max-age'} <= 0
            || ($cookie->{expires} // '') =~ /\b19[67]\d\b/;
        if ($gone) { delete $self->{$name} }
        else       { $self->{$name} = $cookie->{value} }
    }
    return $self;
}

1;
