"""All tables."""

from sqlalchemy import ForeignKey
from sqlalchemy.dialects.postgresql import JSONB, TSRANGE, Range
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


class Base(DeclarativeBase):
    pass


class Coupon(Base):
    """It may be redeemed `limit` times. How often it was, only its redemptions say."""

    __tablename__ = "coupon"
    code: Mapped[str] = mapped_column(primary_key=True)
    limit: Mapped[int]
    redemptions: Mapped[list["Redemption"]] = relationship()


class Redemption(Base):
    __tablename__ = "redemption"
    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(ForeignKey(Coupon.code), index=True)
    email: Mapped[str]


class Booking(Base):
    """A room for some hours. `flask forbid-overlaps` adds a constraint."""

    __tablename__ = "booking"
    id: Mapped[int] = mapped_column(primary_key=True)
    room: Mapped[int]
    during: Mapped[Range] = mapped_column(TSRANGE)
    email: Mapped[str]


class Member(Base):
    __tablename__ = "member"
    id: Mapped[int] = mapped_column(primary_key=True)
    token: Mapped[str] = mapped_column(unique=True)
    points: Mapped[int]


class Reward(Base):
    """Something that a member has taken for points."""

    __tablename__ = "reward"
    id: Mapped[int] = mapped_column(primary_key=True)
    member_id: Mapped[int] = mapped_column(ForeignKey(Member.id))
    cost: Mapped[int]


class Checklist(Base):
    """What is to be done before the space closes: a list of `{"text": …, "done": …}`."""

    __tablename__ = "checklist"
    id: Mapped[int] = mapped_column(primary_key=True)
    items: Mapped[list] = mapped_column(JSONB)
    version: Mapped[int] = mapped_column(default=1)


class VersionedChecklist(Base):
    """The same table. An UPDATE of it names the version that was read, and counts it up."""

    __table__ = Checklist.__table__
    __mapper_args__ = {"version_id_col": Checklist.__table__.c.version}
