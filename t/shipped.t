# matrix: once
#
# Every contract that ships passes `apachectl configtest`, alone and all together, and can be mounted as its first
# line says by a server that has what it needs.

use FindBin '$Bin';
use lib "$Bin/lib";
use Account::Test;

sub name_of { my ($file) = @_; return $file =~ m{([^/]+)\.conf\z} ? $1 : die "$file?\n" }

my @shipped = sort glob "$ROOT/conf/contracts/*.conf";
my $dir     = temp_dir('shipped');
my $needs   = <<"END";
AccountTexts     $ROOT/conf/texts
AccountPublicURL http://shop.example
AccountMail      file:$dir/mail
AccountSms       file:$dir/sms
END

is(join(' ', map { name_of($_) } @shipped), 'devices guochuang jintong kalengo links management mmall youhaosuda', 'what ships');
my ($links) = slurp("$ROOT/conf/contracts/links.conf") =~ /(AccountMount .*)/;

my @mounts;
for my $file (@shipped) {
    my $name = name_of($file);
    my ($first) = split /\n/, slurp($file);
    my ($mount) = $first =~ /^# .*\b(AccountMount \S+ \Q$name\E)$/;
    ok(defined $mount, "$name: the first line says how to mount it");
    push @mounts, $mount;
    my ($status, $said) = configtest("Include $file\n", contracts => 0);
    is($status, 0, "$name passes") or diag($said);
    my $both = join "\n", map { "Include $_" } grep { $_ eq $file || /links\.conf/ } @shipped;
    my $mounted = $name eq 'links' ? $mount : "$mount\n$links";
    ($status, $said) = configtest("$both\n$needs$mounted\n", contracts => 0);
    is($status, 0, "$name can be mounted") or diag($said);
}
my ($status, $said) = configtest($needs . join("\n", @mounts) . "\n");
is($status, 0, 'all of them in one server') or diag($said);
done();
