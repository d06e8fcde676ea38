"""The checkout: placed wrong, and right.

Both send the same statements in the same order, and both lock each row before they write it. They
differ in the object that is written: the one read before the lock, or the one read with it.
"""

from django.db import transaction
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.views.decorators.http import require_POST

from .answers import message, no_more
from .models import AuditEntry, Mail, Order, Payment, Redemption, StockMovement


class NotPossible(Exception):
    """The shop's own no. As an exception it leaves `atomic`, which rolls everything back."""


@require_POST
def checkout(request, pk):
    """The lock comes too late for the object in hand."""

    def lock(row):
        # This returns the fresh object. The caller goes on with the stale one.
        type(row).objects.select_for_update().get(pk=row.pk)

    return answer(request, pk, lock)


@require_POST
def checkout_holds(request, pk):
    """The object in hand is read again, with the lock."""

    def lock(row):
        row.refresh_from_db(from_queryset=type(row).objects.select_for_update())

    return answer(request, pk, lock)


def answer(request, pk, lock):
    order = get_object_or_404(Order, pk=pk, basket=request.session.get("basket"))
    basket, voucher = order.basket, order.basket.voucher
    # All clients lock the products in this order. So they wait for each other in no circle.
    lines = list(basket.lines.select_related("product").order_by("product"))

    try:
        with transaction.atomic():
            lock(order)
            lock(voucher)
            for line in lines:
                lock(line.product)
            place(order, basket, voucher, lines)
    except NotPossible as no:
        return no_more(str(no))

    del request.session["basket"]
    return redirect(f"/thanks/{pk}/")


def place(order, basket, voucher, lines):
    if order.status != "draft":
        raise NotPossible("the order is placed already")

    goods = sum(take_from_stock(order, line) for line in lines)
    discount = use(voucher, order, goods)
    order.total = goods - discount + order.shipping.price
    order.status = "placed"
    order.placed_at = timezone.now()
    order.save(update_fields=["total", "status", "placed_at"])
    note(order, f"placed: {order.total}")

    pay(order)
    Mail.objects.create(order=order, recipient=order.address.email, subject="Thank you")

    basket.lines.all().delete()
    basket.is_open = False
    basket.save(update_fields=["is_open"])


def take_from_stock(order, line):
    product, quantity = line.product, line.quantity
    if product.stock < quantity:
        raise NotPossible(f"{product} is sold out")
    product.stock -= quantity
    product.save(update_fields=["stock"])
    StockMovement.objects.create(product=product, order=order, quantity=-quantity)
    order.lines.create(product=product, quantity=quantity, price=product.price)
    note(order, f"{quantity} of {product} reserved")
    return product.price * quantity


def use(voucher, order, goods):
    if voucher.used >= voucher.max_uses:
        raise NotPossible("the voucher is used up")
    discount = goods * voucher.percent // 100
    voucher.used += 1
    voucher.discount_given += discount
    voucher.save(update_fields=["used", "discount_given"])
    Redemption.objects.create(voucher=voucher, email=order.address.email)
    note(order, f"voucher {voucher.pk}: -{discount}")
    return discount


def pay(order):
    """A real shop asks its bank between the two statements."""
    payment = Payment.objects.create(order=order, amount=order.total)
    payment.status = "captured"
    payment.save(update_fields=["status"])
    note(order, "paid")


def note(order, text):
    AuditEntry.objects.create(order=order, text=text)


def thanks(request, pk):
    return message(f"Thank you for order {pk}.")
