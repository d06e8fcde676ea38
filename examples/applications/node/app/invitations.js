// Invitations to a team. The first who accepts becomes its owner, the others are members.
// Each statement commits by itself.
import { randomUUID } from 'node:crypto';

import { isDuplicate, pool } from './database.js';
import { Declined } from './http.js';

export async function invite({ params, body }) {
  const token = randomUUID();
  await pool.execute(
    'INSERT INTO invitations (token, team_id, email) VALUES (?, ?, ?)',
    [token, params.team, body.email],
  );
  return { status: 201, json: { invitation: { token } } };
}

// RACE: between the SELECT and the INSERT, another guest may become the owner.
// There is no row yet that could be locked, so a transaction would not help either.
export async function acceptLost({ params }) {
  const { team_id: team, email } = await invitationOf(params.token);
  const [[owner]] = await pool.execute(
    "SELECT email FROM members WHERE team_id = ? AND role = 'owner' LIMIT 1",
    [team],
  );
  const role = owner ? 'member' : 'owner';
  await pool.execute(
    'INSERT INTO members (team_id, email, role) VALUES (?, ?, ?)',
    [team, email, role],
  );
  await endInvitation(params.token);
  return { status: 201, json: { role } };
}

// Does not ask, but tries: the unique key `one_owner` admits one owner for each team.
export async function acceptHolds({ params }) {
  const { team_id: team, email } = await invitationOf(params.token);
  const isOwner = await insertMember(team, email, 'owner');
  if (!isOwner && !(await insertMember(team, email, 'member'))) {
    throw new Declined(409, 'this user is in the team already');
  }
  await endInvitation(params.token);
  return { status: 201, json: { role: isOwner ? 'owner' : 'member' } };
}

// Whether the row was inserted. A duplicate is an answer here, and no failure.
async function insertMember(team, email, role) {
  try {
    await pool.execute(
      'INSERT INTO members (team_id, email, role) VALUES (?, ?, ?)',
      [team, email, role],
    );
    return true;
  } catch (error) {
    if (isDuplicate(error)) return false;
    throw error;
  }
}

async function invitationOf(token) {
  const [[invitation]] = await pool.query(
    'SELECT team_id, email FROM invitations WHERE token = ? AND accepted_at IS NULL',
    [token],
  );
  if (!invitation) throw new Declined(404, 'there is no such invitation');
  return invitation;
}

async function endInvitation(token) {
  await pool.query(
    'UPDATE invitations SET accepted_at = CURRENT_TIMESTAMP(3) WHERE token = ?',
    [token],
  );
}
