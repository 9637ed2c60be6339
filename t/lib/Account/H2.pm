# HTTP/2 by hand, over a plain connection: frames in any order, and what no other client would send.
#
#   my $h2 = Account::H2->new($port);
#   $h2->headers(1, [ ':method' => 'POST', ... ], end => 0);    # the stream's head; once more: its trailers
#   $h2->data(1, 'bytes', end => 1);
#   my $r = $h2->reply(1);                                      # {status, body}; status 0: reset, or no reply
package Account::H2;
use strict;
use warnings;
use IO::Select;
use IO::Socket::INET;
use Time::HiRes 'time';

use constant { DATA => 0, HEADERS => 1, RST_STREAM => 3, SETTINGS => 4, PING => 6, GOAWAY => 7 };
use constant { END_STREAM => 1, ACK => 1, END_HEADERS => 4 };

sub new {
    my ($class, $port) = @_;
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port, Timeout => 5) or die "no connection: $@\n";
    my $self = bless { socket => $socket, got => '', streams => {} }, $class;
    $self->send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    $self->frame(SETTINGS, 0, 0, pack 'nN', 1, 0);    # no dynamic table, so that each reply stands alone
    return $self;
}

sub send {
    my ($self, $bytes) = @_;
    local $SIG{PIPE} = 'IGNORE';
    return print { $self->{socket} } $bytes;
}

sub frame {
    my ($self, $type, $flags, $stream, $bytes) = @_;
    return $self->send(substr(pack('N', length $bytes), 1) . pack('CCN', $type, $flags, $stream) . $bytes);
}

# A literal that is not indexed.
sub literal {
    my ($text) = @_;
    my $length = length $text;
    return pack('C', $length) . $text if $length < 127;
    $length -= 127;
    my $bytes = pack 'C', 127;
    for (; $length >= 128; $length >>= 7) { $bytes .= pack 'C', $length & 127 | 128 }
    return $bytes . pack('C', $length) . $text;
}

sub headers {
    my ($self, $stream, $headers, %opt) = @_;
    my $bytes = '';
    for (my $i = 0; $i < @$headers; $i += 2) {
        $bytes .= "\0" . literal($headers->[$i]) . literal($headers->[ $i + 1 ]);
    }
    return $self->frame(HEADERS, END_HEADERS | ($opt{end} ? END_STREAM : 0), $stream, $bytes);
}

sub data {
    my ($self, $stream, $bytes, %opt) = @_;
    return $self->frame(DATA, $opt{end} ? END_STREAM : 0, $stream, $bytes);
}

# The head of a reply begins with its status: an entry of the static table, or three digits, packed or not.
sub status_of {
    my ($block) = @_;
    $block =~ s/\A[\x20-\x3F]+//;    # changes of the table's size
    my $first = ord $block;
    my %static = (0x88 => 200, 0x89 => 204, 0x8A => 206, 0x8B => 304, 0x8C => 400, 0x8D => 404, 0x8E => 500);
    return $static{$first} if $static{$first};
    my $length = ord substr $block, 1, 1;
    my $value = substr $block, 2, $length & 127;
    return $value if $length < 128;
    my $bits = unpack 'B*', $value;
    my $digits = '';
    while (length $digits < 3) {
        if    ($bits =~ s/\A000(00|01|10)//)   { $digits .= oct "0b$1" }
        elsif ($bits =~ s/\A011([01]{3})//)    { $digits .= 2 + oct "0b$1" }
        else                                   { die "no status in a reply\n" }
    }
    return $digits;
}

sub take_frame {
    my ($self) = @_;
    return 0 if length $self->{got} < 9;
    my ($high, $low, $type, $flags, $id) = unpack 'CnCCN', $self->{got};
    my $length = $high << 16 | $low;
    return 0 if length $self->{got} < 9 + $length;
    my $bytes = substr substr($self->{got}, 0, 9 + $length, ''), 9;
    my $stream = $self->{streams}{$id} ||= { status => 0, body => '', ended => 0 };
    if ($type == SETTINGS && !($flags & ACK)) { $self->frame(SETTINGS, ACK, 0, '') }
    if ($type == PING && !($flags & ACK))     { $self->frame(PING, ACK, 0, $bytes) }
    if ($type == HEADERS && !$stream->{status}) { $stream->{status} = status_of($bytes) }
    if ($type == DATA)       { $stream->{body} .= $bytes }
    if ($type == RST_STREAM) { $stream->{status} = 0 }
    if ($type == GOAWAY)     { $self->{gone} = 1 }
    $stream->{ended} = 1 if $type == RST_STREAM || ($type == HEADERS || $type == DATA) && $flags & END_STREAM;
    return 1;
}

sub reply {
    my ($self, $id, $timeout) = @_;
    my $until = time + ($timeout // 10);
    my $select = IO::Select->new($self->{socket});
    until (($self->{streams}{$id} || {})->{ended}) {
        next if $self->take_frame;
        last if $self->{gone} || time > $until;
        $select->can_read($until - time) or last;
        sysread $self->{socket}, $self->{got}, 65536, length $self->{got} or last;
    }
    1 while $self->take_frame;
    my $stream = $self->{streams}{$id};
    return $stream && $stream->{ended} ? $stream : { status => 0, body => '', ended => 0 };
}

1;
