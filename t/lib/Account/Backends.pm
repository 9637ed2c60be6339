# What stands behind Apache or in front of it: private servers on loopback, gone with the test.
#
#   my $echo = Account::Backends::echo();      # t/lib/echo_peer.pl: $echo->port, $echo->got, $echo->forget
#   my $php = Account::Backends::php();        # PHP-FPM: $php->socket
#   my $nginx = Account::Backends::nginx('server { listen 127.0.0.1:@PORT@; ... }', ECHO => $echo->port);
#   my $caddy = Account::Backends::caddy('http://127.0.0.1:@PORT@ { ... }');
#
# In configurations @PORT@ is the port of its own, @DIR@ its directory, others are given.
package Account::Backends;
use strict;
use warnings;
use Account::Process qw($ROOT temp_dir free_port slurp spew wait_until);
use Carp 'croak';
use Exporter 'import';
use IO::Socket::INET;
use IO::Socket::UNIX;
use JSON::PP ();

our @EXPORT_OK = qw(same_name readme_blocks);

# [language, text] of each block in the section of README.md with this heading.
sub readme_blocks {
    my ($heading) = @_;
    my ($section) = slurp("$ROOT/README.md") =~ /^##+ \Q$heading\E\n(.*?)(?=^##+ |\z)/ms or croak "README has no section $heading";
    my @blocks;
    push @blocks, [ $1, $2 ] while $section =~ /^```(\S*)\n(.*?)^```$/msg;
    return @blocks;
}

sub make {
    my ($name, $port, %opt) = @_;
    my $dir = temp_dir($name);
    return bless { name => $name, dir => $dir, port => $port, %opt }, __PACKAGE__;
}

sub port   { $_[0]{port} }
sub dir    { $_[0]{dir} }
sub socket { $_[0]{socket} }

sub begin {
    my ($self) = @_;
    $self->{process} = Account::Process->spawn(command => $self->{command}, output => "$self->{dir}/output",
        env => { HOME => $self->{dir}, XDG_CONFIG_HOME => $self->{dir}, XDG_DATA_HOME => $self->{dir} });
    wait_until(30, sub { $self->answers || !$self->{process}->running }) && $self->{process}->running
        or croak "$self->{name} did not start: " . slurp("$self->{dir}/output") . slurp("$self->{dir}/error.log");
    return $self;
}

sub answers {
    my ($self) = @_;
    return IO::Socket::UNIX->new(Peer => $self->{socket}) if $self->{socket};
    return IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $self->{port}, Timeout => 1);
}

sub end { my ($self) = @_; $self->{process}->end; return $self }

sub filled {
    my ($self, $text, %more) = @_;
    my %value = (PORT => $self->{port}, DIR => $self->{dir}, %more);
    $text =~ s/\@([A-Z]+)\@/$value{$1} \/\/ croak "$self->{name}: what is $1?"/ge;
    return $text;
}

sub echo {
    my $self = make('echo', free_port());
    $self->{file} = spew("$self->{dir}/got", '');
    $self->{command} = [ $^X, "$ROOT/t/lib/echo_peer.pl", '--port', $self->{port}, '--requests', $self->{file} ];
    return $self->begin;
}

# Everything that the echo was asked, and from here on nothing.
sub got {
    my ($self) = @_;
    return map { JSON::PP::decode_json($_) } split /^/, slurp($self->{file});
}
sub forget { my ($self) = @_; truncate $self->{file}, 0 or croak "$self->{file}: $!"; return $self }

# [name, value] of each line of a head that somebody could take for a header: whatever ends lines, ends one.
sub lines_of {
    my ($head) = @_;
    my (undef, @lines) = split /[\r\n\0\f\x0b]+/, $head;
    return map { [ /\A([^:]*):?[ \t]*(.*?)[ \t]*\z/s ] } @lines;
}

# As CGI and its kin map a name, with whatever is left of blanks before it.
sub same_name {
    my ($name) = @_;
    $name =~ s/\A[^A-Za-z0-9]+|[^A-Za-z0-9]+\z//g;
    return lc($name) =~ s/[^a-z0-9]/-/gr;
}

sub php {
    my $self = make('php', 0);
    $self->{socket} = "$self->{dir}/sock";
    spew("$self->{dir}/fpm.conf", <<"END");
[global]
error_log = $self->{dir}/error.log
daemonize = no
[www]
listen = $self->{socket}
pm = static
pm.max_children = 4
php_admin_value[session.save_path] = $self->{dir}
END
    my ($fpm) = grep { -x } map { glob } '/usr/sbin/php-fpm', '/usr/sbin/php-fpm[0-9]*';
    $fpm or croak 'PHP-FPM is not installed (Debian: php-fpm)';
    $self->{command} = [ $fpm, '-n', '-F', '-p', $self->{dir}, '-y', "$self->{dir}/fpm.conf" ];
    return $self->begin;
}

# The text goes into http {}.
sub nginx {
    my ($text, %more) = @_;
    my $self = make('nginx', free_port());
    -x '/usr/sbin/nginx' or croak 'nginx is not installed (Debian: nginx-light)';
    spew("$self->{dir}/nginx.conf", $self->filled(<<'END' . "$text\n}\n", %more));
daemon off;
worker_processes 2;
pid @DIR@/pid;
error_log @DIR@/error.log;
events { worker_connections 128; }
http {
    access_log off;
    client_body_temp_path @DIR@/body;
    proxy_temp_path @DIR@/proxy;
    fastcgi_temp_path @DIR@/fastcgi;
    uwsgi_temp_path @DIR@/uwsgi;
    scgi_temp_path @DIR@/scgi;
END
    $self->{command} = [ '/usr/sbin/nginx', '-p', $self->{dir}, '-e', "$self->{dir}/error.log", '-c', "$self->{dir}/nginx.conf" ];
    return $self->begin;
}

sub caddy {
    my ($text, %more) = @_;
    my $self = make('caddy', free_port());
    -x '/usr/bin/caddy' or croak 'caddy is not installed';
    spew("$self->{dir}/Caddyfile", $self->filled("{\n    admin off\n    auto_https off\n}\n$text\n", %more));
    $self->{command} = [ qw(/usr/bin/caddy run --adapter caddyfile --config), "$self->{dir}/Caddyfile" ];
    return $self->begin;
}

1;
