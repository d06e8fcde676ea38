"""The same deposit in five ways, after racy-django.

Each reads the balance, records the transaction and writes the balance that was read plus the
amount: SELECT, INSERT, UPDATE. They differ in the transaction, the lock and the delay.
"""

import time

from django.conf import settings
from django.db import transaction
from django.http import JsonResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from .models import Account, Transaction


# The callers are programs, which have no cookies. So there is nothing that CSRF could abuse.
@csrf_exempt
@require_POST
def non_atomic_no_delay(request):
    """Each statement is a transaction of its own."""
    return deposit(request, Account.objects)


@csrf_exempt
@require_POST
def non_atomic_long_delay(request):
    """The delay makes the loss likely. Possible it was before."""
    return deposit(request, Account.objects, settings.LONG_DELAY)


@csrf_exempt
@require_POST
@transaction.atomic
def atomic_no_delay(request):
    """All or nothing. That is not the same as alone: a plain SELECT locks nothing."""
    return deposit(request, Account.objects)


@csrf_exempt
@require_POST
@transaction.atomic
def atomic_long_delay(request):
    return deposit(request, Account.objects, settings.LONG_DELAY)


@csrf_exempt
@require_POST
@transaction.atomic
def row_locking_atomic_long_delay(request):
    """FOR UPDATE: the second client waits at its SELECT, and reads what the first has written."""
    return deposit(request, Account.objects.select_for_update(), settings.LONG_DELAY)


def deposit(request, accounts, delay=0):
    amount = int(request.POST["amount"])
    account = get_object_or_404(accounts, pk=request.POST["account"])
    # Without a lock, others may read the same balance from here on.
    time.sleep(delay)
    Transaction.objects.create(account=account, amount=amount)
    account.balance += amount
    account.save()
    return JsonResponse({"balance": account.balance})


def balance(request, account):
    return JsonResponse({"balance": get_object_or_404(Account, pk=account).balance})
