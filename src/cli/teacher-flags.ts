/** Flags of the teacher's preprocessing as the one option that the library has. */
export function ofTeacher(flags: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const options: Record<string, unknown> = {};
  const teacherInput: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(flags)) {
    const [, first, rest] = /^teacher(?!Classes$|Once$)([A-Z])(.*)$/.exec(name) ?? [];
    if (first === undefined) options[name] = value;
    else teacherInput[first.toLowerCase() + rest!] = value;
  }
  return { ...options, ...(Object.keys(teacherInput).length > 0 && { teacherInput }) };
}
