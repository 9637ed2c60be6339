"""A Django site with its own auth: POST /login, GET /me. Run as a program, it makes tables and the account."""
import os

from django.conf import settings

SECRET = 'bench-' + 'x' * 50
DATABASES = {'default': {
    'ENGINE': 'django.db.backends.mysql', 'NAME': os.environ['BENCH_DATABASE'], 'USER': os.environ['BENCH_USER'],
    'PASSWORD': os.environ['BENCH_PASSWORD'], 'HOST': os.environ['BENCH_SOCKET'],
    'CONN_MAX_AGE': None, 'OPTIONS': {'charset': 'utf8mb4'}}}
SECRET_KEY = SECRET
DEBUG = False
ALLOWED_HOSTS = ['127.0.0.1']
ROOT_URLCONF = 'django_site'
DEFAULT_AUTO_FIELD = 'django.db.models.BigAutoField'
USE_TZ = True
SILENCED_SYSTEM_CHECKS = ['mysql.E001']
INSTALLED_APPS = ['django.contrib.auth', 'django.contrib.contenttypes', 'django.contrib.sessions']
MIDDLEWARE = ['django.middleware.security.SecurityMiddleware', 'django.contrib.sessions.middleware.SessionMiddleware',
              'django.middleware.common.CommonMiddleware', 'django.contrib.auth.middleware.AuthenticationMiddleware']

if __name__ == '__main__':
    import django
    from django.core.management import call_command
    django.setup()
    call_command('migrate', verbosity=0)
    from django.contrib.auth.models import User
    User.objects.create_user('anna', 'anna@example.com', os.environ['BENCH_PASSWORD_OF_ANNA'])
else:
    def log_in(request):
        from django.contrib.auth import authenticate, login
        from django.http import JsonResponse
        user = authenticate(request, username=request.POST.get('username'), password=request.POST.get('password'))
        if user is not None:
            login(request, user)
        return JsonResponse({'status': 0 if user is not None else 1})

    def me(request):
        from django.http import JsonResponse
        user = request.user
        if not user.is_authenticated:
            return JsonResponse({'status': 1, 'msg': 'not logged in'}, status=401)
        return JsonResponse({'status': 0, 'data': {'id': user.id, 'username': user.username, 'email': user.email,
                                                   'created': user.date_joined.isoformat()}})

    def __getattr__(name):
        # urlpatterns and the application need Django set up, which reads this file as its settings first.
        if name == 'urlpatterns':
            from django.urls import path
            return [path('login', log_in), path('me', me)]
        if name == 'application':
            from django.core.wsgi import get_wsgi_application
            return get_wsgi_application()
        raise AttributeError(name)
