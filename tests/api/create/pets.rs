//! Pets of a new lead.

use super::*;

on_both_databases! {
    async fn pets_come_back_whole_and_in_order(app: TestApp) {
        let given = vec![
            whole_pet(),
            buddy(),
            Pet { name: "Ämma 🐈".into(), r#type: pet::Type::Cat.into(), ..buddy() },
            Pet { weight: Some(Weight::default()), ..buddy() },
        ];
        let lead = created(&app, Lead { pets: given.clone(), ..john() }).await;
        let key = &lead.pets[0].notes[0].last_updated_by;
        assert!(key.starts_with("key_"), "{key}");
        assert!(lead.pets[0].notes[0].id.starts_with("note_"));
        assert_eq!(lead.pets[0].notes[0].last_updated_time, lead.created_time);
        let ids: BTreeSet<_> = lead.pets.iter().map(|pet| &pet.id).collect();
        assert_eq!(ids.len(), given.len());

        let mut said = lead.pets.clone();
        for pet in &mut said {
            assert!(pet.id.starts_with("pet_"));
            (pet.id, pet.created_time, pet.last_updated_time) = (String::new(), None, None);
            for note in &mut pet.notes {
                *note = pet::Note { content: std::mem::take(&mut note.content), ..pet::Note::default() };
            }
        }
        assert_eq!(said, given);
    }

    async fn birthdays_may_leave_out_what_the_type_lets_them(app: TestApp) {
        for (year, month, day) in [(2020, 2, 29), (1, 1, 1), (9999, 12, 31), (2020, 0, 0), (2020, 12, 0), (0, 2, 29)] {
            let birthday = Some(Date { year, month, day });
            let lead = created(&app, with_pet(|pet| pet.birthday = birthday)).await;
            assert_eq!(lead.pets[0].birthday, birthday);
        }
        for (year, month, day) in [
            (2021, 2, 29), (2020, 13, 1), (2020, 4, 31), (2020, 0, 5), (0, 0, 5), (0, 5, 0), (10_000, 1, 1), (-1, 1, 1),
            (2020, -1, 0),
        ] {
            let birthday = Some(Date { year, month, day });
            let status = refused(&app, create(with_pet(|pet| pet.birthday = birthday))).await;
            assert_eq!(status.paths(), ["lead.pets[0].birthday"], "{birthday:?}");
        }
    }
}
