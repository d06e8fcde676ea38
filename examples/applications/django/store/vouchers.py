"""A voucher may be used `max_uses` times: redeemed wrong, and right."""

from django.db import transaction
from django.db.models import F
from django.shortcuts import get_object_or_404

from .answers import form_page, message, no_more
from .forms import RedeemForm
from .models import Redemption, Voucher


@transaction.atomic
def redeem(request):
    """Read, check, write. Between the read and the write, others read the same counter."""
    form = RedeemForm(request.POST or None)
    if not form.is_valid():
        return form_page(request, "Redeem a voucher", form)

    voucher = get_object_or_404(Voucher, code=form.cleaned_data["code"])
    if voucher.used >= voucher.max_uses:
        return no_more("the voucher is used up")
    voucher.used += 1
    voucher.save(update_fields=["used"])
    Redemption.objects.create(voucher=voucher, email=form.cleaned_data["email"])
    return message("redeemed")


@transaction.atomic
def redeem_holds(request):
    """One UPDATE checks and writes. What it says about its rows is the answer."""
    form = RedeemForm(request.POST or None)
    if not form.is_valid():
        return form_page(request, "Redeem a voucher", form)

    code = form.cleaned_data["code"]
    # The row is locked and read by the UPDATE itself. So no other client comes in between.
    updated = Voucher.objects.filter(code=code, used__lt=F("max_uses")).update(used=F("used") + 1)
    if not updated:
        return no_more("there is no such voucher, or it is used up")
    Redemption.objects.create(voucher_id=code, email=form.cleaned_data["email"])
    return message("redeemed")
