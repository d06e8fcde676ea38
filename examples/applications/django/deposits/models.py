"""An account, and what was paid into it."""

from django.db import models


class Account(models.Model):
    balance = models.IntegerField(default=0)


class Transaction(models.Model):
    # The foreign key matters: an INSERT takes a shared lock on the account's row.
    account = models.ForeignKey(Account, on_delete=models.SET_NULL, null=True)
    amount = models.IntegerField()
