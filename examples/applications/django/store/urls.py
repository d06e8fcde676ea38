from django.urls import path

from . import basket, checkout, seats, vouchers

urlpatterns = [
    path("voucher/redeem/", vouchers.redeem),
    path("voucher/redeem-holds/", vouchers.redeem_holds),
    path("seats/<int:event>/reserve/", seats.reserve),
    path("seats/<int:event>/reserve-holds/", seats.reserve_holds),
    path("", basket.index),
    path("products/<int:pk>/", basket.product),
    path("basket/add/", basket.add),
    path("basket/voucher/", basket.voucher),
    path("address/", basket.address),
    path("shipping/", basket.shipping),
    path("preview/", basket.preview),
    path("checkout/<int:pk>/", checkout.checkout),
    path("checkout-holds/<int:pk>/", checkout.checkout_holds),
    path("thanks/<int:pk>/", checkout.thanks),
]
